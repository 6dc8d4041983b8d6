using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using NpgsqlTypes;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>
/// Servers that roll back, change their role, or lose their connection. A position is valid only in the epoch in which it was sampled.
/// </summary>
public sealed class ServerEpochTests : IAsyncLifetime
{
    private const string Replayed = "SELECT pg_last_wal_replay_lsn()";

    private readonly StoreCluster _store = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private LocalCluster Cluster => _store.Cluster;

    public ValueTask InitializeAsync() => _store.InitializeAsync();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Theory]
    [InlineData("the whole server", "a quick monitor")]
    [InlineData("the whole server", "a slow monitor")]
    [InlineData("one backend", "a quick monitor")]
    [InlineData("one backend", "a slow monitor")]
    public async Task A_replica_that_crashed_and_went_back_shows_no_session_less_than_before(string crash, string monitor)
    {
        // pg-2 has the row, and the sessions observe it there. pg-3 stays before it.
        var replica = Cluster["pg-2"];
        var id = await MakeRestartPointAsync(replica, "v4");
        await Cluster["pg-3"].PauseReplayAsync(Stop);
        await using var source = await _store.ConnectAsync(b =>
            b.Options.ProbeInterval = monitor == "a slow monitor" ? TimeSpan.FromMinutes(1) : b.Options.ProbeInterval);
        using var session = source.BeginSession();
        await source.WriteAsync($"UPDATE items SET name = 'v5' WHERE id = {id}");
        await Cluster.WaitForReplayAsync(Stop);
        await source.Cluster.Monitor.SampleAsync(1, Stop);
        (await ReadAsync(source, id)).ShouldBe(("v5", replica.Port));

        var (start, lsn) = (await StartTimeAsync(replica), await replica.QueryAsync<NpgsqlLogSequenceNumber>(Replayed));
        await replica.DelayReplayAsync(TimeSpan.FromMinutes(10), Stop);
        if (crash == "one backend") await KillOneBackendAsync(replica);
        else
        {
            await replica.KillAsync(Stop);
            await replica.StartAsync(Stop);
        }

        // The pooled connections are broken. Without this step, the first reads would run on connections that are younger than the last
        // probe.
        if (monitor == "a slow monitor") source.Cluster.Clear();
        (await replica.QueryAsync<NpgsqlLogSequenceNumber>(Replayed)).ShouldBeLessThan(lsn);
        (await replica.QueryAsync<string>($"SELECT name FROM items WHERE id = {id}")).ShouldBe("v4");
        if (crash == "one backend") (await StartTimeAsync(replica)).ShouldBe(start);

        await ShouldReadAsync(source, id, "v5");
    }

    [Fact]
    public async Task A_session_does_not_go_back_with_a_replica_that_went_back()
    {
        var replica = Cluster["pg-2"];
        var id = await MakeRestartPointAsync(replica, "v4");
        await Cluster["pg-3"].PauseReplayAsync(Stop);
        await Cluster.Primary.RunAsync($"UPDATE items SET name = 'v5' WHERE id = {id}");
        await Cluster.WaitForReplayAsync(Stop);
        await using var source = await _store.ConnectAsync(b => b.Options.ProbeInterval = TimeSpan.FromMinutes(1));
        using var session = source.BeginSession();
        using (source.RequireNode("pg-2")) (await ReadAsync(source, id)).Name.ShouldBe("v5");

        await replica.DelayReplayAsync(TimeSpan.FromMinutes(10), Stop);
        await KillOneBackendAsync(replica);
        source.Cluster.Clear();
        (await replica.QueryAsync<string>($"SELECT name FROM items WHERE id = {id}")).ShouldBe("v4");

        await ShouldReadAsync(source, id, "v5");
    }

    [Theory]
    [InlineData("commands")]
    [InlineData("EF")]
    [InlineData("connections")]
    public async Task A_promoted_node_with_a_frozen_replay_position_is_not_used_as_a_replica(string by)
    {
        // The monitor's last probe found pg-2 to be a replica that keeps up.
        await Cluster["pg-3"].PauseReplayAsync(Stop);
        await using var source = await _store.ConnectAsync(b => b.Options.ProbeInterval = TimeSpan.FromMinutes(1));
        await Cluster["pg-2"].PromoteAsync(follow: false, cancellationToken: Stop);
        (await Cluster["pg-2"].QueryAsync<NpgsqlLogSequenceNumber?>(Replayed)).ShouldNotBeNull();
        source.Nodes.Single(n => n.Name == "pg-2").Role.ShouldBe(NodeRole.Replica);

        // The old primary still accepts the write. The promoted node writes WAL of its own past that position.
        var lost = new List<LostWrite>();
        source.WriteLost += (_, lostWrite) => lost.Add(lostWrite);
        using var session = source.BeginSession();
        await using var context = _store.CreateContext(source);
        context.AddRange(new Item { Name = "on the old" }, new Item { Name = "on the old" });
        await context.SaveChangesAsync(Stop);
        await Cluster["pg-2"].RunAsync("INSERT INTO items (name) SELECT 'on the new' FROM generate_series(1, 1000)");
        for (var i = 0; i < 10; i++)
        {
            try
            {
                var count = by switch
                {
                    "EF" => await context.Items.AsNoTracking().CountAsync(item => item.Name == "on the old", Stop),
                    "commands" => (await source.ReadAsync<int>("SELECT count(*)::int FROM items WHERE name = 'on the old'")).Value,
                    _ => await CountByConnectionAsync(source),
                };
                if (lost.Count == 0) count.ShouldBe(2, "no loss was reported");
            }
            catch (Exception e) when (e is RoutingException or { InnerException: RoutingException })
            {
                // Once the promotion is detected, no node has the write. The read is rejected, not answered without it.
                source.Nodes.Single(n => n.Name == "pg-2").Role.ShouldBe(NodeRole.Primary);
                return;
            }
        }
    }

    [Fact]
    public async Task A_promoted_node_is_the_primary_from_the_next_probe_on()
    {
        await Cluster.Primary.KillAsync(Stop);
        await Cluster["pg-2"].PromoteAsync(cancellationToken: Stop);
        await StoreCluster.UntilAsync(_store.Source, nodes => nodes.Primary == "pg-2");
        (await Cluster["pg-2"].QueryAsync<NpgsqlLogSequenceNumber?>(Replayed)).ShouldNotBeNull();
        await _store.Source.UntilReadOnReplicaAsync(Cluster);
        for (var i = 0; i < 50; i++) (await _store.Source.ReadAsync<int>("1")).Port.ShouldBe(Cluster["pg-3"].Port);
    }

    [Theory]
    [InlineData("a level")]
    [InlineData("the cluster's bound")]
    public async Task A_disconnected_replica_is_refused_once_it_may_exceed_the_staleness_bound(string bound)
    {
        var most = TimeSpan.FromMilliseconds(200);
        await using var source = await _store.ConnectAsync(b =>
        {
            b.Options.ProbeInterval = TimeSpan.FromMilliseconds(20);
            if (bound == "the cluster's bound") b.Options.MaxStaleness = most;
        });
        Consistency? level = bound == "a level" ? Consistency.BoundedStaleness(most) : Consistency.Eventual;
        await Cluster.WaitForReplayAsync(Stop);
        foreach (var replica in Cluster.Replicas) await replica.StopReceivingAsync();

        // The primary is idle. Nothing becomes stale for three times the bound, and the replicas serve.
        for (var idle = Stopwatch.StartNew(); idle.Elapsed < 3 * most;)
            (await source.ReadAsync<int>("1", level)).Port.ShouldNotBe(Cluster.Primary.Port);

        // The primary writes, and the replicas report that they have replayed all they received. Every commit older than the bound is
        // there.
        var id = await Cluster.Primary.QueryAsync<int>("INSERT INTO items (name) VALUES ('v5') RETURNING id");
        var (onReplicas, onPrimary) = (0, 0);
        for (var since = Stopwatch.StartNew(); onPrimary < 100;)
        {
            var committedFor = since.Elapsed;
            var (name, port) = await source.ReadAsync<string>($"SELECT name FROM items WHERE id = {id}", level);
            if (committedFor > most) name.ShouldBe("v5", $"{committedFor.TotalMilliseconds:0} ms after the commit");
            if (port == Cluster.Primary.Port) onPrimary++;
            else onReplicas++;
        }

        onReplicas.ShouldBeGreaterThan(0);
        (await Cluster["pg-2"].QueryAsync<bool>(
            "SELECT pg_last_wal_receive_lsn() IS NULL OR pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn()")).ShouldBeTrue();
        source.Explain(level).Rejected.Where(r => r.Node != "pg-1").ShouldAllBe(r => r.Reason == RejectionReason.TooStale);
        if (bound == "a level") (await source.ReadAsync<int>("1", Consistency.Eventual)).Port.ShouldNotBe(Cluster.Primary.Port);
    }

    /// <summary>Creates a row that every node has, and from which the replica would recover.</summary>
    private async Task<int> MakeRestartPointAsync(LocalNode replica, string name)
    {
        var id = await Cluster.MakeItemAsync(name);
        await Cluster.Primary.RunAsync("CHECKPOINT");
        await Cluster.WaitForReplayAsync(Stop);
        await replica.RunAsync("CHECKPOINT");
        return id;
    }

    private static async Task<(string? Name, int Port)> ReadAsync(TidemarkDataSource source, int id) =>
        await source.ReadAsync<string>($"SELECT name FROM items WHERE id = {id}");

    private async Task ShouldReadAsync(TidemarkDataSource source, int id, string name)
    {
        for (var i = 0; i < 30; i++)
        {
            (await ReadAsync(source, id)).Name.ShouldBe(name);
            await using var context = _store.CreateContext(source);
            (await context.Items.Where(item => item.Id == id).Select(item => item.Name).SingleAsync(Stop)).ShouldBe(name);
            await using var connection = await source.OpenReadConnectionAsync(cancellationToken: Stop);
            await using var command = new NpgsqlCommand($"SELECT name FROM items WHERE id = {id}", connection);
            (await command.ExecuteScalarAsync(Stop)).ShouldBe(name);
        }
    }

    private static async Task<int> CountByConnectionAsync(TidemarkDataSource source)
    {
        await using var connection = await source.OpenReadConnectionAsync(cancellationToken: Stop);
        await using var command = new NpgsqlCommand("SELECT count(*)::int FROM items WHERE name = 'on the old'", connection);
        return (int)(await command.ExecuteScalarAsync(Stop))!;
    }

    private static Task<DateTime> StartTimeAsync(LocalNode node) => node.QueryAsync<DateTime>("SELECT pg_postmaster_start_time()");

    /// <summary>Sends SIGKILL to one backend. The server ends all others, and recovers from its WAL under the same postmaster.</summary>
    private static async Task KillOneBackendAsync(LocalNode node)
    {
        await using var connection = new NpgsqlConnection(node.ConnectionString + ";Pooling=false");
        await connection.OpenAsync(Stop);
        using (var backend = Process.GetProcessById(connection.ProcessID)) backend.Kill();

        // The end of this connection is the start of the crash. The server rejects all other connections until the recovery is complete.
        await using var command = new NpgsqlCommand("SELECT 1", connection);
        for (var isOver = false; !isOver;)
        {
            try
            {
                await command.ExecuteScalarAsync(Stop);
            }
            catch (NpgsqlException)
            {
                isOver = true;
            }
        }

        for (var isBack = false; !isBack;)
        {
            try
            {
                await node.RunAsync("SELECT 1");
                isBack = true;
            }
            catch (NpgsqlException)
            {
                await Task.Yield();
            }
        }
    }
}
