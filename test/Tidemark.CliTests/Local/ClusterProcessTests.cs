using System.Diagnostics;
using System.Text.Json;
using Tidemark.Cli;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>
/// Tests of local clusters from start to deletion with the built tool, and of errors that commands detect before any action.
/// </summary>
[Collection("local clusters")]
public sealed class ClusterProcessTests : IAsyncDisposable
{
    private readonly LocalClusterFolder _folder = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _folder.DisposeAsync();

    [Fact]
    public async Task Separate_processes_start_show_break_and_delete_the_same_cluster()
    {
        var up = await RunAsync("cluster", "up", "--replicas", "1", "--sync", "--delay", "20", "--json");
        (up.ExitCode, up.Errors).ShouldBe((0, ""));
        JsonDocument.Parse(up.Output).RootElement.GetProperty("synchronousReplicas").GetBoolean().ShouldBeTrue();
        _folder.Processes.Count(line => line.Contains("postgres -D", StringComparison.Ordinal)).ShouldBe(2);
        _folder.Processes.ShouldNotContain(line => line.Contains("tidemark-watchdog", StringComparison.Ordinal));

        var status = JsonDocument.Parse((await RunAsync("cluster", "status", "--json")).Output).RootElement;
        status.GetProperty("nodes")[1].GetProperty("delayMs").GetInt32().ShouldBe(20);
        var list = await RunAsync("cluster", "list", "--json");
        JsonDocument.Parse(list.Output).RootElement[0].GetProperty("running").GetInt32().ShouldBe(2);

        var stopped = await RunAsync("cluster", "stop", "pg-2");
        stopped.Output.ShouldContain("Commits on pg-1 wait until pg-2 streams again");
        (await RunAsync("cluster", "start", "pg-2")).Output.ShouldContain("and is streaming");

        var down = await RunAsync("cluster", "down");
        down.Output.ShouldContain("Deleted cluster default");
        down.ExitCode.ShouldBe(0);
        _folder.Processes.ShouldBeEmpty();
        _folder.Entries.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("KILL")]
    public async Task A_signal_during_up_leaves_no_server_and_no_folder(string signal)
    {
        using var up = LocalClusterFolder.Start("cluster", "up");
        var started =
            await Poll.UntilAsync(() =>
            ValueTask.FromResult(_folder.Processes.Any(line => line.Contains("postgres -D", StringComparison.Ordinal))),
            TimeSpan.FromSeconds(30), TimeProvider.System, Stop);
        started.ShouldBeTrue();
        Process.Start("kill", ["-s", signal, $"{up.Id}"]).Dispose();
        await up.WaitForExitAsync(Stop);
        if (signal == "INT")
        {
            (await up.StandardError.ReadToEndAsync(Stop)).ShouldContain("interrupted.");
            up.ExitCode.ShouldBe(2);
        }

        // After SIGKILL, the watchdog cleans up, and the released lock file remains.
        var clean = await Poll.UntilAsync(
            () => ValueTask.FromResult(!_folder.Processes.Any()
                && _folder.Entries.All(entry => signal == "KILL" && entry == ".default.lock")),
                TimeSpan.FromSeconds(signal == "INT" ? 0 : 20), TimeProvider.System, Stop);
        clean.ShouldBeTrue(string.Join('\n', _folder.Processes.Concat(_folder.Entries)));
    }

    [Theory]
    [InlineData("is not a valid cluster name", "up", "--name", "../x")]
    [InlineData("is not a valid cluster name", "status", "--name", ".hidden")]
    [InlineData("--postgres must be an integer from 15 to 18", "up", "--postgres", "14")]
    [InlineData("--replicas must be an integer from 0 to 14", "up", "--replicas", "15")]
    [InlineData("--delay has 2 values for 3 replicas", "up", "--replicas", "3", "--delay", "1,2")]
    [InlineData("--delay must be a comma-separated list of integers from 0 to 2147483647", "up", "--delay", "1,x")]
    [InlineData("Database must be a non-empty name", "up", "--database", "a\"b")]
    [InlineData("There is no cluster default. No clusters exist", "down")]
    [InlineData("There is no cluster default. No clusters exist", "pause", "pg-2")]
    [InlineData("--all and --name cannot be combined", "down", "--all", "--name", "x")]
    [InlineData("Required argument missing", "kill")]
    [InlineData("'tidemark cluster kill --help'", "kill")]
    [InlineData("a subcommand is required: up, down, status")]
    [InlineData("\"bogus\"", "bogus")]
    public async Task Bad_input_is_rejected_and_nothing_is_created(string complaint, params string[] arguments)
    {
        var ran = await RanCommand.RunAsync(["cluster", .. arguments]);
        ran.Errors.ShouldContain(complaint);
        (ran.ExitCode, ran.Output).ShouldBe((ExitCode.WrongUsage, ""));
        _folder.Entries.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_damaged_state_file_is_reported_and_down_still_deletes_the_cluster()
    {
        await RanCommand.RunAsync("cluster", "up", "--name", "torn", "--replicas", "0");
        await File.WriteAllTextAsync(Path.Combine(_folder.Path, "torn", KeptState.FileName), "{ \"form", Stop);
        foreach (var command in new[] { new[] { "status" }, ["up"], ["stop", "pg-1"] })
        {
            var ran = await RanCommand.RunAsync(["cluster", .. command, "--name", "torn"]);
            ran.Errors.ShouldContain("The state of the cluster torn cannot be read");
            ran.Errors.ShouldContain("tidemark cluster down --name torn");
            ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
        }

        (await RanCommand.RunAsync("cluster", "list")).Output.ShouldContain("cannot be read");
        (await RanCommand.RunAsync("[suggest]", "tidemark cluster stop --name torn ")).Errors.ShouldBeEmpty();
        (await RanCommand.RunAsync("cluster", "down", "--all")).Output.ShouldContain("Deleted cluster torn");
        _folder.Processes.ShouldBeEmpty();
        _folder.Entries.ShouldBeEmpty();
        (await RanCommand.RunAsync("cluster", "down", "--all")).Output.ShouldContain("No local clusters exist");
        (await RanCommand.RunAsync("cluster", "list")).Output.ShouldContain("tidemark cluster up");
    }

    [Fact]
    public async Task Down_all_deletes_the_other_clusters_before_it_reports_a_failure()
    {
        foreach (var name in new[] { "one", "two" }) await RanCommand.RunAsync("cluster", "up", "--name", name, "--replicas", "0");
        var inUse = await LocalCluster.OpenAsync("one", Stop);
        var down = await RanCommand.RunAsync("cluster", "down", "--all");
        await inUse.DisposeAsync();
        down.Output.ShouldContain("Deleted cluster two");
        down.Errors.ShouldContain("The cluster one is in use");
        down.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Fact]
    public async Task Of_two_concurrent_ups_one_starts_the_cluster_and_the_other_shows_it()
    {
        var both = await Task.WhenAll(RunAsync("cluster", "up", "--replicas", "0"), RunAsync("cluster", "up", "--replicas", "0"));
        both.ShouldAllBe(ran => ran.ExitCode == 0 && ran.Errors == "");
        both.Count(ran => ran.Output.Contains("Started 1 server", StringComparison.Ordinal)).ShouldBe(1);
        both.Count(ran => ran.Output.Contains("Cluster default is already running", StringComparison.Ordinal)).ShouldBe(1);
    }

    private static async Task<(int ExitCode, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        using var process = LocalClusterFolder.Start(arguments);
        var output = process.StandardOutput.ReadToEndAsync(Stop);
        var errors = await process.StandardError.ReadToEndAsync(Stop);
        await process.WaitForExitAsync(Stop);
        return (process.ExitCode, await output, errors);
    }
}
