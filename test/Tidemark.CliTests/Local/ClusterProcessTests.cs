using System.Diagnostics;
using System.Text.Json;
using Tidemark.Cli;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>
/// Local clusters from their beginning to their end, by the tool as it was built, and what commands refuse before anything is done.
/// </summary>
[Collection("local clusters")]
public sealed class ClusterProcessTests : IAsyncDisposable
{
    private readonly LocalClusterFolder _folder = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _folder.DisposeAsync();

    [Fact]
    public async Task One_process_starts_a_cluster_another_shows_it_a_third_breaks_it_and_a_fourth_ends_it()
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
        (await RunAsync("cluster", "start", "pg-2")).Output.ShouldContain("and streams");

        var down = await RunAsync("cluster", "down");
        down.Output.ShouldContain("The cluster default is gone");
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
            (await up.StandardError.ReadToEndAsync(Stop)).ShouldContain("stopped.");
            up.ExitCode.ShouldBe(2);
        }

        // After SIGKILL it is the watchdog that cleans up; of the lock a file is left that nobody holds.
        var clean = await Poll.UntilAsync(
            () => ValueTask.FromResult(!_folder.Processes.Any()
                && _folder.Entries.All(entry => signal == "KILL" && entry == ".default.lock")),
                TimeSpan.FromSeconds(signal == "INT" ? 0 : 20), TimeProvider.System, Stop);
        clean.ShouldBeTrue(string.Join('\n', _folder.Processes.Concat(_folder.Entries)));
    }

    [Theory]
    [InlineData("cannot be the name of a folder", "up", "--name", "../x")]
    [InlineData("cannot be the name of a folder", "status", "--name", ".hidden")]
    [InlineData("--postgres takes a whole number from 15 to 18", "up", "--postgres", "14")]
    [InlineData("--replicas takes a whole number from 0 to 14", "up", "--replicas", "15")]
    [InlineData("--delay has 2 numbers for 3 replicas", "up", "--replicas", "3", "--delay", "1,2")]
    [InlineData("--delay takes whole numbers from 0 to 2147483647", "up", "--delay", "1,x")]
    [InlineData("Database must be a non-empty name", "up", "--database", "a\"b")]
    [InlineData("There is no cluster default. No clusters exist", "down")]
    [InlineData("There is no cluster default. No clusters exist", "pause", "pg-2")]
    [InlineData("--all and --name contradict", "down", "--all", "--name", "x")]
    [InlineData("Required argument missing", "kill")]
    [InlineData("'tidemark cluster kill --help'", "kill")]
    [InlineData("what about the cluster? up, down, status")]
    [InlineData("\"bogus\"", "bogus")]
    public async Task Bad_input_is_refused_and_nothing_is_made(string complaint, params string[] arguments)
    {
        var ran = await RanCommand.RunAsync(["cluster", .. arguments]);
        ran.Errors.ShouldContain(complaint);
        (ran.ExitCode, ran.Output).ShouldBe((ExitCode.WrongUsage, ""));
        _folder.Entries.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_damaged_state_is_told_by_every_command_and_down_still_deletes_the_cluster()
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
        (await RanCommand.RunAsync("cluster", "down", "--all")).Output.ShouldContain("The cluster torn is gone");
        _folder.Processes.ShouldBeEmpty();
        _folder.Entries.ShouldBeEmpty();
        (await RanCommand.RunAsync("cluster", "down", "--all")).Output.ShouldContain("No cluster is kept");
        (await RanCommand.RunAsync("cluster", "list")).Output.ShouldContain("tidemark cluster up");
    }

    [Fact]
    public async Task Down_goes_through_all_clusters_and_then_tells_what_it_could_not_end()
    {
        foreach (var name in new[] { "one", "two" }) await RanCommand.RunAsync("cluster", "up", "--name", name, "--replicas", "0");
        var inUse = await LocalCluster.OpenAsync("one", Stop);
        var down = await RanCommand.RunAsync("cluster", "down", "--all");
        await inUse.DisposeAsync();
        down.Output.ShouldContain("The cluster two is gone");
        down.Errors.ShouldContain("The cluster one is in use");
        down.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Fact]
    public async Task Of_two_that_start_one_cluster_at_once_one_starts_it_and_the_other_shows_it()
    {
        var both = await Task.WhenAll(RunAsync("cluster", "up", "--replicas", "0"), RunAsync("cluster", "up", "--replicas", "0"));
        both.ShouldAllBe(ran => ran.ExitCode == 0 && ran.Errors == "");
        both.Count(ran => ran.Output.Contains("Started 1 server", StringComparison.Ordinal)).ShouldBe(1);
        both.Count(ran => ran.Output.Contains("There is a cluster default already", StringComparison.Ordinal)).ShouldBe(1);
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
