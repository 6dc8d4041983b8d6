using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>Nothing is left of a cluster when it, or its process, ends.</summary>
public sealed class LocalClusterEndTests : IDisposable
{
    private readonly string _parent = Directory.CreateTempSubdirectory("tidemark-end-").FullName;

    public LocalClusterEndTests() => UnixFolder.MakeReadable(_parent);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_parent, recursive: true);

    [Fact]
    public async Task A_disposed_cluster_leaves_no_process_and_no_file()
    {
        var cluster = await StartAsync();
        var servers = Servers(cluster);
        var memory = SharedMemoryOf(cluster.Primary);
        SharedMemory().ShouldContain(memory);
        await cluster.Primary.KillAsync(Stop);          // leaves its shared memory allocated
        await cluster.DisposeAsync();
        await cluster.DisposeAsync();

        servers.ShouldAllBe(server => !IsAlive(server));
        SharedMemory().ShouldNotContain(memory);
        Directory.EnumerateFileSystemEntries(_parent).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_start_that_fails_quotes_the_log_and_leaves_nothing()
    {
        var options = new LocalClusterOptions { Directory = _parent, Settings = { ["shared_buffers"] = "lots" } };
        var error = await Should.ThrowAsync<LocalClusterException>(() => LocalCluster.StartAsync(options, Stop));
        error.Message.ShouldContain("pg-1 ended during its start");
        error.Message.ShouldContain("invalid value for parameter \"shared_buffers\": \"lots\"");
        Directory.EnumerateFileSystemEntries(_parent).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("Starting")]        // when servers have no postmaster.pid yet
    [InlineData("Waiting")]
    public async Task A_start_that_is_cancelled_leaves_nothing(string stage)
    {
        using var cancel = new CancellationTokenSource();
        var options = new LocalClusterOptions { Directory = _parent, Progress = new CancelWhen(stage, cancel) };
        var watch = Stopwatch.StartNew();
        await Should.ThrowAsync<OperationCanceledException>(() => LocalCluster.StartAsync(options, cancel.Token));

        // On its own, a server whose directory was deleted detects that only within a minute.
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(30));
        Directory.EnumerateFileSystemEntries(_parent).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_process_that_is_killed_leaves_no_server_and_no_file()
    {
        using var child = StartChild();
        var servers = await ReadServersAsync(child);
        servers.Length.ShouldBe(2);
        servers.ShouldAllBe(server => IsAlive(server));
        await using var ours = await StartAsync();      // two processes, two clusters

        child.Kill();
        await child.WaitForExitAsync(Stop);
        (await Poll.UntilAsync(() => ValueTask.FromResult(Directory.GetDirectories(_parent).Length == 1 && !servers.Any(IsAlive)),
            TimeSpan.FromSeconds(20), TimeProvider.System, Stop)).ShouldBeTrue();
        (await ours.Primary.QueryAsync<int>("SELECT 1")).ShouldBe(1);
    }

    [Fact]
    public async Task The_next_start_removes_files_of_a_killed_process_and_watchdog()
    {
        using var child = StartChild();
        var servers = await ReadServersAsync(child);
        var left = Directory.GetDirectories(_parent).Single();
        foreach (var watchdog in Process.GetProcessesByName("sh")
            .Where(shell => CommandLine(shell.Id).EndsWith(left + '\0', StringComparison.Ordinal)))
            watchdog.Kill();
        child.Kill();
        await child.WaitForExitAsync(Stop);
        servers.ShouldAllBe(server => IsAlive(server));

        await using var next = await StartAsync();
        Directory.Exists(left).ShouldBeFalse();
        servers.ShouldAllBe(server => !IsAlive(server));
        Directory.GetDirectories(_parent).Length.ShouldBe(1);
    }

    private Task<LocalCluster> StartAsync() => LocalCluster.StartAsync(new LocalClusterOptions { Replicas = 1, Directory = _parent }, Stop);

    private Process StartChild()
    {
        var program = Path.ChangeExtension(typeof(LocalClusterEndTests).Assembly.Location, null);
        var description = new ProcessStartInfo(program, [LocalClusterChild.Command, _parent]) { RedirectStandardOutput = true };
        return Process.Start(description)!;
    }

    private static async Task<int[]> ReadServersAsync(Process child)
    {
        var said = new List<string>();
        while (await child.StandardOutput.ReadLineAsync(Stop) is { } line)
        {
            said.Add(line);
            if (line.StartsWith("servers ", StringComparison.Ordinal))
                return JsonSerializer.Deserialize<int[]>(line["servers ".Length..])!;
        }

        throw new InvalidOperationException("The child ended: " + string.Join('\n', said));
    }

    private static int[] Servers(LocalCluster cluster) => [.. cluster.Nodes.Select(node => node.ProcessId!.Value)];

    // Line 7 of postmaster.pid: key, id.
    private static string SharedMemoryOf(LocalNode node) =>
        File.ReadLines(Path.Combine(node.DataDirectory, "postmaster.pid")).ElementAt(6)
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];

    // Key, id, …
    private static IEnumerable<string> SharedMemory() =>
        File.ReadLines("/proc/sysvipc/shm").Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);

    // A zombie process has no command line.
    private static bool IsAlive(int process) => CommandLine(process).Length > 0;

    private static string CommandLine(int process)
    {
        try
        {
            return File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/cmdline"));
        }
        catch (IOException)
        {
            return "";
        }
    }

    private sealed class CancelWhen(string stage, CancellationTokenSource cancel) : IProgress<LocalClusterProgress>
    {
        public void Report(LocalClusterProgress value)
        {
            if (value.Stage.StartsWith(stage, StringComparison.Ordinal))
                cancel.Cancel();
        }
    }
}
