using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>
/// The monitor does not depend on anything that callers can exhaust, and does not treat a fact about its own connection as a fact about the
/// node.
/// </summary>
public sealed class MonitorTests : IClassFixture<StoreCluster>
{
    private const string EndMonitorConnections =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE '%tidemark monitor%'";

    private readonly StoreCluster _store;

    public MonitorTests(StoreCluster store) => _store = store;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(12)]
    [InlineData(60)]
    [InlineData(0)]
    public async Task Synchronous_reads_at_a_cold_start_need_no_free_thread_of_the_pool(int readers)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(Assembly.GetExecutingAssembly().Location);
        start.ArgumentList.Add(StarvedChild.Command);
        start.ArgumentList.Add(readers.ToString(CultureInfo.InvariantCulture));
        foreach (var node in _store.Cluster.Nodes) start.ArgumentList.Add(node.ConnectionString);
        using var child = Process.Start(start)!;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        try
        {
            var output = child.StandardOutput.ReadToEndAsync(patience.Token);
            var errors = child.StandardError.ReadToEndAsync(patience.Token);
            await child.WaitForExitAsync(patience.Token);
            child.ExitCode.ShouldBe(0, await output + await errors);
        }
        finally
        {
            if (!child.HasExited) child.Kill();
        }
    }

    [Fact]
    public async Task Ending_the_monitors_connections_repeatedly_refuses_nothing()
    {
        await using var source = await _store.ConnectAsync();
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var ended = 0L;
        var administrator = EndAsync();
        async Task EndAsync()
        {
            while (!ending.IsCancellationRequested)
                foreach (var node in _store.Cluster.Nodes) ended += await node.QueryAsync<long>(EndMonitorConnections);
        }

        for (var round = 0; round < 200; round++)
        {
            await source.WriteAsync("INSERT INTO items (name) VALUES ('ended')");
            await source.ReadAsync<int>("1");
            await Task.Delay(5, Stop);
        }

        await ending.CancelAsync();
        await administrator;
        ended.ShouldBeGreaterThan(30);
    }

    [Fact]
    public async Task A_monitor_whose_idle_sessions_are_ended_logs_nothing_about_its_node()
    {
        using var log = new RecordedLog();
        await using var source = await _store.ConnectAsync(builder =>
        {
            builder.LoggerFactory = log;
            builder.AddToConnectionStrings("Options=-c idle_session_timeout=20ms");
        });
        for (var round = 0; round < 20; round++)
        {
            await source.Cluster.Monitor.SampleAsync(0, Stop);
            await Task.Delay(60, Stop);
            source.Nodes.ShouldAllBe(node => node.IsServing);
        }

        log.Entries.ShouldNotContain(entry => entry.Event == "NodeUnreachable" || entry.Event == "PrimaryLost");
    }

    [Theory]
    [InlineData(25)]
    [InlineData(120)]
    public async Task A_slow_network_does_not_fail_the_first_connection(int delayMs)
    {
        await using var relays = new Relays(_store.Cluster, TimeSpan.FromMilliseconds(delayMs));
        using var log = new RecordedLog();
        var builder = new TidemarkDataSourceBuilder { LoggerFactory = log };
        relays.AddTo(builder);
        await using var source = builder.Build();
        await source.Cluster.Monitor.FirstRoundAsync(Stop);
        source.Nodes[0].IsServing.ShouldBeTrue("a primary is known when the first round ends");
        await source.WriteAsync("INSERT INTO items (name) VALUES ('far')");
        while (!source.Cluster.Monitor.Snapshot.IsComplete) await source.Cluster.Monitor.SampleAsync(0, Stop);

        source.Nodes.ShouldAllBe(node => node.IsServing);
        log.Entries.ShouldNotContain(entry => entry.Event == "NodeUnreachable" || entry.Event == "PrimaryLost");
    }

    [Fact]
    public async Task A_node_that_accepts_without_a_greeting_recovers_even_with_timeout_zero()
    {
        await using var silent = new SlowRelay(_store.Cluster["pg-2"].Port, isClosed: true);
        var builder = new TidemarkDataSourceBuilder();
        builder.AddNode("pg-1", _store.Cluster["pg-1"].ConnectionString).AddNode("pg-2", Through(silent, "pg-2") + ";Timeout=0");
        await using var source = builder.Build();
        await source.Cluster.Monitor.FirstRoundAsync(Stop);
        source.Nodes[0].IsServing.ShouldBeTrue();
        await WaitUntilAsync(() => source.Nodes[1].Problem?.Contains("no response", StringComparison.Ordinal) == true);

        silent.Open();
        await WaitUntilAsync(() => source.Nodes[1].IsServing);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Disposal_does_not_wait_for_a_node_that_is_silent(bool isAsync)
    {
        await using var silent = new SlowRelay(_store.Cluster["pg-2"].Port, isClosed: true);
        var builder = new TidemarkDataSourceBuilder();
        builder.AddNode("pg-1", _store.Cluster["pg-1"].ConnectionString).AddNode("pg-2", Through(silent, "pg-2") + ";Timeout=0");
        var source = builder.Build();
        await source.Cluster.Monitor.FirstRoundAsync(Stop);
        while (silent.Accepted == 0) await Task.Yield();

        // A connection attempt times out after 5 s.
        var watch = Stopwatch.StartNew();
        if (isAsync) await source.DisposeAsync();
#pragma warning disable CA1849 // That it blocks is what is tested.
        else source.Dispose();
#pragma warning restore CA1849
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(4));
    }

    [Fact]
    public async Task Disposal_closes_the_connections_of_the_monitor()
    {
        var source = await _store.ConnectAsync(builder => builder.AddToConnectionStrings("Application Name=closes"));
        const string Count = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'closes%'";
        (await _store.Cluster.Primary.QueryAsync<long>(Count)).ShouldBeGreaterThan(0);
        await source.DisposeAsync();
        await _store.Cluster.Primary.UntilAsync<long>(Count, count => count == 0);
    }

    [Theory]
    [InlineData("pending")]
    [InlineData("in doubt")]
    public async Task A_frozen_primary_fails_a_session_in_doubt_as_fast_when_it_blocks(string write)
    {
        await using var blocking = await _store.ConnectAsync();
        await using var awaiting = await _store.ConnectAsync();
        using var session = Session(blocking, write);
        using var other = Session(awaiting, write);
        using var frozen = Frozen.Processes(_store.Cluster.Primary.ProcessId!.Value);
        var times = new List<TimeSpan>();
        foreach (var (source, isAsync) in new[] { (blocking, false), (awaiting, true) })
        {
            var watch = Stopwatch.StartNew();
            if (isAsync) await Should.ThrowAsync<RoutingException>(ReadAsync(source, other));
            else Should.Throw<RoutingException>(() => ReadBlocking(source, session));
            times.Add(watch.Elapsed);
        }

        // The probe's time-out, twice if two queries are needed. A pooled connection would take 15 s.
        times.ShouldAllBe(time => time < TimeSpan.FromSeconds(5));
    }

    [Theory]
    [InlineData("a password provider")]
    [InlineData("a periodic password provider")]
    public async Task The_monitor_takes_its_password_from_a_provider(string kind)
    {
        await RequirePasswordsAsync();
        await using var source = await _store.ConnectAsync(builder =>
        {
            foreach (var node in builder.Options.Nodes.Values)
                node.ConnectionString =
                    new NpgsqlConnectionStringBuilder(node.ConnectionString) { Username = "guarded", Password = null }.ConnectionString;
            builder.ConfigureNodes(node => _ = kind == "a password provider"
                ? node.UsePasswordProvider(_ => "secret", (_, _) => ValueTask.FromResult("secret"))
                : node.UsePeriodicPasswordProvider((_, _) => ValueTask.FromResult("secret"), TimeSpan.FromMinutes(1),
                    TimeSpan.FromSeconds(1)));
        });

        source.Nodes.ShouldAllBe(node => node.IsServing);
    }

    [Fact]
    public async Task A_probe_does_not_wait_for_a_timeline_history_that_never_arrives()
    {
        await using var cluster = await LocalCluster.StartAsync(1, Stop);
        var promoted = cluster["pg-2"];
        await promoted.PromoteAsync(cancellationToken: Stop);
        await using var silent = new SlowRelay(promoted.Port, isClosed: true);
        var settings = new NpgsqlConnectionStringBuilder(promoted.ConnectionString) { Pooling = false };
        var replication = new NpgsqlConnectionStringBuilder(settings.ConnectionString) { Port = silent.Port }.ConnectionString;
        await using var direct = NpgsqlDataSource.Create(settings);
        using var probe = new NodeProbe(
            direct, direct, replication, TimeProvider.System, TimeSpan.FromMilliseconds(100));
        var deadline = new ProbeDeadline(TimeProvider.System, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5));

        var first = probe.Ask(Unsettled.None, deadline).Answer;
        first.Failure.ShouldBeNull();
        first.Timeline.ShouldBe(2u);
        first.Forks.ShouldBeNull();
        silent.Open();
        IReadOnlyList<Fork>? forks;
        while ((forks = probe.Ask(Unsettled.None, deadline).Answer.Forks) is null) await Task.Delay(10, Stop);
        forks.ShouldHaveSingleItem().Parent.ShouldBe(1u);
        probe.Ask(Unsettled.None, deadline).Answer.Forks.ShouldBeNull("the forks are reported once");
    }

    [Fact]
    public async Task Ended_server_processes_are_detected_on_the_monitors_connection()
    {
        await using var source = await _store.ConnectAsync(builder => builder.AddToConnectionStrings("Maximum Pool Size=1"));
        await using var taken = await source.OpenReadConnectionAsync(Consistency.Strong, Stop);
        await using var takenToo = await source.OpenWriteConnectionAsync(Stop);

        (await source.Cluster.FindGoneAsync(0, [taken.ProcessID, 2_000_000_000, takenToo.ProcessID], IoMode.Async, Stop))
            .ShouldBe([2_000_000_000]);
        var blocked = source.Cluster.FindGoneAsync(0, [2_000_000_000], IoMode.Blocking, Stop);
        blocked.IsCompleted.ShouldBeTrue();
        (await blocked).ShouldBe([2_000_000_000]);
    }

    [Fact]
    public async Task A_logging_provider_that_blocks_does_not_hold_up_the_monitor()
    {
        using var log = new BlockedLog();
        await using var source = await _store.ConnectAsync(builder => builder.LoggerFactory = log);
        log.Called.Wait(Stop);

        (await source.Cluster.Monitor.SampleAsync(0, Stop)).Status.ShouldBe(ConcludedStatus.Primary);
        log.Release.Set();
    }

    private static ConsistencySession Session(TidemarkDataSource source, string write)
    {
        var session = source.BeginSession();
        if (write == "pending") session.MarkWritten();
        else
        {
            session.BeginWrite();
            session.EndWrite(source.Cluster.Monitor.Snapshot.Primary!, at: null, isInDoubt: true, backend: 2_000_000_000);
        }

        return session;
    }

    private static async Task ReadAsync(TidemarkDataSource source, ConsistencySession session) =>
        await ReadLoop.RunAsync(
            source.Watermarks, new ReadRequest(session, Consistency.Session), Opening(source), IoMode.Async, Stop);

    private static void ReadBlocking(TidemarkDataSource source, ConsistencySession session) =>
        ReadLoop.Run(source.Watermarks, new ReadRequest(session, Consistency.Session), Opening(source));

    private static ReadOpening<NpgsqlConnection> Opening(TidemarkDataSource source) =>
        new(source.Watermarks, source.Cluster, () => source.CurrentSession, Consistency.Session,
            static (connection, _, _, _) => new ValueTask<NpgsqlConnection>(connection));

    private static async Task WaitUntilAsync(Func<bool> holds)
    {
        while (!holds()) await Task.Delay(10, Stop);
    }

    private string Through(SlowRelay relay, string node) =>
        new NpgsqlConnectionStringBuilder(_store.Cluster[node].ConnectionString) { Port = relay.Port }.ConnectionString;

    private async Task RequirePasswordsAsync()
    {
        await _store.Cluster.Primary.RunAsync(
            "DO $$ BEGIN CREATE ROLE guarded LOGIN PASSWORD 'secret'; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
        await _store.Cluster.WaitForReplayAsync(Stop);
        foreach (var node in _store.Cluster.Nodes)
        {
            var file = Path.Combine(node.DataDirectory, "pg_hba.conf");
            var text = await File.ReadAllTextAsync(file, Stop);
            if (!text.Contains("guarded", StringComparison.Ordinal))
                await File.WriteAllTextAsync(file, "host all guarded 127.0.0.1/32 scram-sha-256\n" + text, Stop);
            await node.RunAsync("SELECT pg_reload_conf()");
            await node.UntilAsync<bool>("SELECT EXISTS (SELECT FROM pg_hba_file_rules WHERE 'guarded' = ANY (user_name))",
                isThere => isThere);
        }
    }

    /// <summary>Starts a relay in front of each node.</summary>
    private sealed class Relays(LocalCluster cluster, TimeSpan delay) : IAsyncDisposable
    {
        private readonly SlowRelay[] _relays = [.. cluster.Nodes.Select(node => new SlowRelay(node.Port, delay))];

        public void AddTo(TidemarkDataSourceBuilder builder)
        {
            foreach (var (node, relay) in cluster.Nodes.Zip(_relays))
                builder.AddNode(node.Name, new NpgsqlConnectionStringBuilder(node.ConnectionString) { Port = relay.Port }.ConnectionString);
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var relay in _relays) await relay.DisposeAsync();
        }
    }

    private sealed class BlockedLog : ILoggerFactory, ILogger
    {
        public ManualResetEventSlim Called { get; } = new();

        public ManualResetEventSlim Release { get; } = new();

        public ILogger CreateLogger(string categoryName) =>
            categoryName == "Tidemark" ? this : Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?,
            string> formatter)
        {
            Called.Set();
            Release.Wait();
        }

        public void Dispose()
        {
            Called.Dispose();
            Release.Set();
        }
    }
}
