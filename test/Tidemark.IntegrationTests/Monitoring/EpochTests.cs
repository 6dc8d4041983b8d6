using System.Diagnostics;
using Npgsql;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>
/// Restarts, crashes, and names that resolve to several servers. The server's own epoch distinguishes them, for an ordinary role too.
/// </summary>
public sealed class EpochTests : IAsyncLifetime
{
    private readonly StoreCluster _store = new();
    private readonly RecordedLog _log = new();
    private readonly List<LostWrite> _lost = [];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private LocalCluster Cluster => _store.Cluster;

    public async ValueTask InitializeAsync()
    {
        await _store.InitializeAsync();

        // A typical application role, with neither pg_read_all_stats nor REPLICATION.
        await Cluster.Primary.RunAsync("CREATE ROLE app LOGIN; GRANT ALL ON items TO app");
        await Cluster.WaitForReplayAsync(Stop);
    }

    public async ValueTask DisposeAsync()
    {
        _log.Dispose();
        await _store.DisposeAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_planned_restart_of_the_primary_loses_nothing_and_reports_nothing(bool isAsynchronousCommit)
    {
        await using var source = await ConnectAsync(b =>
        {
            b.Options.ThrowOnLostWrite = true;
            if (isAsynchronousCommit) b.AddToConnectionStrings("Options=-c synchronous_commit=off");
        });
        using var session = source.BeginSession();
        for (var i = 0; i < 3; i++)
        {
            await source.WriteAsync($"INSERT INTO items (name) VALUES ('kept {i}')");
            await Cluster["pg-1"].RunAsync("CHECKPOINT");
            await Cluster["pg-1"].StopAsync(StopMode.Fast, Stop);
            await Cluster["pg-1"].StartAsync(Stop);
            await PrimaryIsBackAsync(source);

            (await source.ReadAsync<long>("SELECT count(*) FROM items WHERE name LIKE 'kept%'")).Value.ShouldBe(i + 1);
        }

        await source.UntilReadOnReplicaAsync(Cluster);
        _lost.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("one backend")]
    [InlineData("the postmaster")]
    public async Task A_crash_that_loses_an_asynchronous_commit_is_reported_to_an_ordinary_role(string of)
    {
        await Cluster.Primary.RunAsync("ALTER SYSTEM SET wal_writer_delay = '10s'");
        await Cluster.Primary.RunAsync("SELECT pg_reload_conf()");
        await using var source = await ConnectAsync(b => b.AddToConnectionStrings("Options=-c synchronous_commit=off"));
        using var session = source.BeginSession();
        await Cluster.Primary.RunAsync("INSERT INTO items (name) VALUES ('flushed')");
        await source.Cluster.Monitor.SampleAsync(0, Stop);
        await source.WriteAsync("INSERT INTO items (name) VALUES ('lost')");
        await CrashAsync(of);
        await PrimaryIsBackAsync(source);
        (await Cluster["pg-1"].QueryAsync<long>("SELECT count(*) FROM items WHERE name = 'lost'"))
            .ShouldBe(0, "nothing was lost: the commit had been flushed");
        await Cluster["pg-1"].RunAsync("INSERT INTO items (name) SELECT 'later' FROM generate_series(1, 1000)");

        (await source.ReadAsync<long>("SELECT count(*) FROM items WHERE name = 'lost'")).Value.ShouldBe(0);
        _lost.ShouldContain(lost => lost.WasWritten);
    }

    [Fact]
    public async Task A_reset_of_statistics_is_not_treated_as_a_crash()
    {
        await using var source = await ConnectAsync(_ => { });
        using var session = source.BeginSession();
        await source.WriteAsync("INSERT INTO items (name) VALUES ('kept')");
        var before = source.Cluster.Monitor.Snapshot.Primary!.Epoch;
        await Cluster.Primary.RunAsync("SELECT pg_stat_reset_shared('bgwriter')");
        await source.Cluster.Monitor.SampleAsync(0, Stop);

        source.Cluster.Monitor.Snapshot.Primary!.Epoch.ShouldNotBe(before);
        source.Cluster.Monitor.Snapshot.Chain.PrimaryEpoch.ShouldBe(0);
        (await source.ReadAsync<long>("SELECT count(*) FROM items WHERE name = 'kept'")).Value.ShouldBe(1);
        _lost.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_commit_in_doubt_is_settled_after_the_crash_of_one_backend()
    {
        await using var source = await ConnectAsync(_ => { });
        using var session = source.BeginSession();
        await using (var connection = await source.OpenWriteConnectionAsync(Stop))
        {
            await Cluster.Primary.RunAsync($"SELECT pg_terminate_backend({connection.ProcessID})");
            await using var write = new NpgsqlCommand("INSERT INTO items (name) VALUES ('doubt')", connection);
            await Should.ThrowAsync<NpgsqlException>(write.ExecuteNonQueryAsync(Stop));
        }

        await CrashAsync("one backend");
        await PrimaryIsBackAsync(source);
        await source.UntilReadOnReplicaAsync(Cluster);
        session.IsInDoubt.ShouldBeFalse();
    }

    [Fact]
    public async Task Own_writes_are_never_missed_where_one_name_leads_to_two_replicas()
    {
        await using var both = new TwoServerName(Cluster["pg-2"].Port, Cluster["pg-3"].Port);
        await Cluster["pg-3"].DelayReplayAsync(TimeSpan.FromMilliseconds(300), Stop);
        await using var source = Build(
            ("pg-1", Cluster["pg-1"].ConnectionString),
                ("readers", new NpgsqlConnectionStringBuilder(Cluster["pg-2"].ConnectionString) { Port = both.Port }.ConnectionString));
        await source.Cluster.Monitor.FirstRoundAsync(Stop);
        var missed = 0;
        var onReplicas = 0;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async worker =>
        {
            for (var i = 0; i < 40; i++)
            {
                using var session = source.BeginSession();
                await source.WriteAsync($"INSERT INTO items (name) VALUES ('own {worker} {i}')");
                for (var read = 0; read < 3; read++)
                {
                    var (count, port) = await source.ReadAsync<long>($"SELECT count(*) FROM items WHERE name = 'own {worker} {i}'");
                    if (count != 1) Interlocked.Increment(ref missed);
                    if (port != Cluster["pg-1"].Port) Interlocked.Increment(ref onReplicas);
                }
            }
        }));

        missed.ShouldBe(0);
        source.Cluster.Monitor.Snapshot.Nodes[1].HasSeveralServers.ShouldBeTrue();
        _log.Entries.Count(entry => entry.Event == "SeveralServers").ShouldBe(1);
    }

    [Fact]
    public async Task A_primary_read_is_never_served_by_a_replica_that_shares_its_name()
    {
        await using var both = new TwoServerName(Cluster["pg-1"].Port, Cluster["pg-3"].Port);
        await Cluster["pg-3"].PauseReplayAsync(Stop);
        await using var source = Build(
            ("any", new NpgsqlConnectionStringBuilder(Cluster["pg-1"].ConnectionString) { Port = both.Port }.ConnectionString),
                ("pg-2", Cluster["pg-2"].ConnectionString));
        await source.Cluster.Monitor.FirstRoundAsync(Stop);
        if (source.Cluster.Monitor.Snapshot.PrimaryIndex != 0) return;
        await Cluster["pg-1"].RunAsync("INSERT INTO items (name) VALUES ('strong')");
        for (var i = 0; i < 20; i++)
        {
            try
            {
                (await source.ReadAsync<long>("SELECT count(*) FROM items WHERE name = 'strong'", Consistency.Strong)).Value.ShouldBe(1);
            }
            catch (RoutingException)
            {
                // An error that no node can serve is a valid outcome.
            }
        }
    }

    private async Task CrashAsync(string of)
    {
        var primary = Cluster["pg-1"];
        if (of == "the postmaster")
        {
            await primary.KillAsync(Stop);
            await primary.StartAsync(Stop);
            return;
        }

        await using var victim =
            new NpgsqlConnection(new NpgsqlConnectionStringBuilder(primary.ConnectionString) { Pooling = false }.ConnectionString);
        await victim.OpenAsync(Stop);
        using (var process = Process.GetProcessById(victim.ProcessID)) process.Kill();
        await using var probe = new NpgsqlCommand("SELECT pg_sleep(60)", victim);
        await Should.ThrowAsync<NpgsqlException>(probe.ExecuteNonQueryAsync(Stop));
        while (true)
        {
            try
            {
                NpgsqlConnection.ClearAllPools();
                await primary.QueryAsync<int>("SELECT 1");
                return;
            }
            catch (NpgsqlException)
            {
                await Task.Delay(20, Stop);
            }
        }
    }

    private static async Task PrimaryIsBackAsync(TidemarkDataSource source)
    {
        await source.Cluster.Monitor.SampleAsync(0, Stop);
        await StoreCluster.UntilAsync(source, nodes => nodes.Primary == "pg-1");
    }

    private async Task<TidemarkDataSource> ConnectAsync(Action<TidemarkDataSourceBuilder> configure)
    {
        var source = await _store.ConnectAsync(b =>
        {
            b.LoggerFactory = _log;
            b.AddToConnectionStrings("Username=app");
            configure(b);
        });
        source.WriteLost += (_, lostWrite) => _lost.Add(lostWrite);
        return source;
    }

    private TidemarkDataSource Build(params (string Name, string ConnectionString)[] nodes)
    {
        var builder = new TidemarkDataSourceBuilder { LoggerFactory = _log };
        foreach (var (name, text) in nodes) builder.AddNode(name, text);
        builder.AddToConnectionStrings("Username=app");
        return builder.Build();
    }
}
