using System.Diagnostics;
using System.Globalization;
using Tidemark.Cli;

namespace Tidemark;

public sealed class ShellCommandTests(ClusterOfThree three) : IClassFixture<ClusterOfThree>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("pg-3")]
    [InlineData("primary")]
    public async Task Psql_runs_on_the_node(string node)
    {
        var expected = three.Cluster[node == "primary" ? "pg-1" : node].Port.ToString(CultureInfo.InvariantCulture);
        var name = node == "primary" ? node : three.NameOf(node);
        var (exitCode, output, _) = await ShellAsync([name, .. three.Options, "--", "-At", "-c", "SELECT current_setting('port'), "
            + "current_database()"]);

        (exitCode, output.Trim()).ShouldBe((0, $"{expected}|store"));
    }

    [Fact]
    public async Task The_exit_code_is_that_of_psql()
    {
        var (exitCode, _, errors) = await ShellAsync([.. three.Options, "--", "-c", "SELECT 1/0"]);
        exitCode.ShouldBe(1);
        errors.ShouldContain("division by zero");
    }

    [Fact]
    public async Task The_password_is_neither_an_argument_nor_printed()
    {
        var (exitCode, output, errors) = await ShellAsync(
            ["--connection", "Host=127.0.0.1;Port=1;Username=u;Password=s3cret", "127.0.0.1", "--", "-c", "SELECT 1"],
                psql: "echo \"args: $*\"; echo \"password: $PGPASSWORD\" | sed s/s3cret/handed/; exit 7");

        output.ShouldBe("args: -c SELECT 1\npassword: handed\n");
        (exitCode, errors).ShouldBe((7, ""));
    }

    [Fact]
    public async Task Arguments_for_psql_follow_two_dashes()
    {
        var ran = await RanCommand.RunAsync(["shell", .. three.Options, three.NameOf("pg-1"), three.NameOf("pg-2")]);
        ran.Errors.ShouldContain("shell takes one node, but 2 were given. Put arguments for psql after --.");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Fact]
    public async Task Without_psql_the_error_describes_how_to_install_it()
    {
        var nowhere = RanCommand.Nowhere with { FindProgram = _ => null };
        var ran = await RanCommand.RunAsync(nowhere, ["shell", .. three.Options]);
        ran.Errors.ShouldContain("psql was not found in PATH");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Fact]
    public async Task A_missing_node_is_reported_with_the_existing_ones()
    {
        var ran = await RanCommand.RunAsync(["shell", "pg-9", .. three.Options]);
        ran.Errors.ShouldContain("the cluster from --connection has no node \"pg-9\". Its nodes are 127.0.0.1:");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    // psql writes to the streams of the process, so the command runs in a separate process.
    private static async Task<(int ExitCode, string Output, string Errors)> ShellAsync(string[] arguments, string? psql = null)
    {
        var folder = Directory.CreateTempSubdirectory("tidemark-shell-");
        try
        {
            var start =
                new ProcessStartInfo("dotnet",
                [Path.Combine(AppContext.BaseDirectory, "Tidemark.Cli.dll"), "shell", .. arguments]) { RedirectStandardOutput = true,
                RedirectStandardError = true };
            if (psql is not null)
            {
                var program = Path.Combine(folder.FullName, "psql");
                await File.WriteAllTextAsync(program, $"#!/bin/sh\n{psql}\n", Cancelled);
                if (!OperatingSystem.IsWindows())
                    File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                start.Environment["PATH"] = $"{folder.FullName}:{Environment.GetEnvironmentVariable("PATH")}";
            }

            using var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEndAsync(Cancelled);
            var errors = await process.StandardError.ReadToEndAsync(Cancelled);
            await process.WaitForExitAsync(Cancelled);
            return (process.ExitCode, await output, errors);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
