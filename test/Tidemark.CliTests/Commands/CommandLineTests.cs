using System.Diagnostics;
using Tidemark.Cli;

namespace Tidemark;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("simulate", "tidemark simulate --seeds 10000")]
    [InlineData("check", "tidemark check history.txt")]
    [InlineData("doctor", "tidemark doctor --max-staleness 10s --json")]
    [InlineData("cluster", "tidemark cluster up --replicas 2")]
    public async Task Help_shows_an_example_and_the_exit_codes(string command, string example)
    {
        var ran = await RanCommand.RunAsync(command, "--help");
        ran.Output.ShouldContain($"tidemark {command}");
        ran.Output.ShouldContain(example);
        ran.Output.ShouldContain("0 success");
        (ran.ExitCode, ran.Errors).ShouldBe((ExitCode.Success, ""));
    }

    [Theory]
    [InlineData("a command is required")]
    [InlineData("unknown command \"bogus\"", "bogus")]
    [InlineData("Required argument missing", "check")]
    public async Task An_unknown_command_is_rejected(string complaint, params string[] arguments)
    {
        var ran = await RanCommand.RunAsync(arguments);
        ran.Errors.ShouldContain(complaint);
        (ran.ExitCode, ran.Output).ShouldBe((ExitCode.WrongUsage, ""));
    }

    [Fact]
    public async Task Help_fits_forty_columns()
    {
        var ran = await RanCommand.RunAsync(40, CancellationToken.None, "check", "--help");
        ran.Lines.ShouldAllBe(line => line.TrimEnd().Length <= 40);
    }

    [Fact]
    public async Task A_process_prints_into_a_pipe_without_colour_or_progress()
    {
        var (exitCode, output, errors) = await ShellAsync("dotnet \"$1\" simulate --seeds 2 --policy AlwaysPrimary");
        output.ShouldContain("Offload efficiency");
        output.ShouldNotContain('\e');
        (exitCode, errors).ShouldBe((0, ""));
    }

    [Fact]
    public async Task A_pipe_that_closes_is_not_an_error()
    {
        var (_, output, errors) = await ShellAsync("dotnet \"$1\" simulate --seed 3 --policy AlwaysPrimary | head -n 1; echo "
            + "\"${PIPESTATUS[0]}\"");
        output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1].ShouldBe("0");
        errors.ShouldBeEmpty();
    }

    private static async Task<(int ExitCode, string Output, string Errors)> ShellAsync(string script)
    {
        var tool = Path.Combine(AppContext.BaseDirectory, "Tidemark.Cli.dll");
        using var process =
            Process.Start(
            new ProcessStartInfo("bash", ["-c", script, "bash", tool]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, errors);
    }
}
