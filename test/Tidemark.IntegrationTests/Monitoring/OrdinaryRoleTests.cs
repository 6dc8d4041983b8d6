using NpgsqlTypes;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>
/// A role without pg_read_all_stats, pg_monitor and REPLICATION. What it cannot read reduces knowledge, but breaks no promise.
/// </summary>
public sealed class OrdinaryRoleTests : IAsyncLifetime
{
    private readonly StoreCluster _store = new();
    private readonly RecordedLog _log = new();
    private readonly List<LostWrite> _lost = [];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private LocalCluster Cluster => _store.Cluster;

    public async ValueTask InitializeAsync()
    {
        await _store.InitializeAsync();
        await Cluster.Primary.RunAsync("CREATE ROLE app LOGIN; GRANT ALL ON items TO app");
        await Cluster.WaitForReplayAsync(Stop);
    }

    public async ValueTask DisposeAsync()
    {
        _log.Dispose();
        await _store.DisposeAsync();
    }

    [Fact]
    public async Task Data_that_a_replica_showed_and_a_failover_lost_is_reported()
    {
        await using var source = await ConnectAsync();
        await Cluster["pg-3"].StopReceivingAsync();
        await Cluster.Primary.RunAsync("INSERT INTO items (name) VALUES ('seen')");
        await Cluster["pg-2"].WaitForReplayAsync(Stop);
        using var session = source.BeginSession();
        using (source.RequireNode("pg-2")) (await CountAsync(source, "seen")).ShouldBe(1);
        await Cluster["pg-1"].KillAsync(Stop);
        await Cluster["pg-2"].KillAsync(Stop);
        await Cluster["pg-3"].ReceiveAgainAsync();
        await Cluster["pg-3"].PromoteAsync(follow: false, cancellationToken: Stop);
        await StoreCluster.UntilAsync(source, nodes => nodes.Primary == "pg-3");

        (await CountAsync(source, "seen")).ShouldBe(0);
        _lost.ShouldContain(lost => !lost.WasWritten);
    }

    [Fact]
    public async Task Own_writes_are_never_missed_after_a_promotion_that_left_a_replica_ahead()
    {
        await using var source = await ConnectAsync();
        await Cluster["pg-2"].StopReceivingAsync();
        await Cluster.Primary.RunAsync("INSERT INTO items (name) SELECT 'dead' FROM generate_series(1, 5000)");
        await Cluster["pg-3"].WaitForReplayAsync(Stop);
        await source.Cluster.Monitor.SampleAsync(2, Stop);
        await Cluster["pg-1"].KillAsync(Stop);
        await Cluster["pg-2"].ReceiveAgainAsync();
        await Cluster["pg-2"].PromoteAsync(follow: false, cancellationToken: Stop);
        await StoreCluster.UntilAsync(source, nodes => nodes.Primary == "pg-2");
        source.Cluster.Monitor.Snapshot.Nodes[2].Status.ShouldBe(ConcludedStatus.Replica, "nothing shows that it was left behind");

        for (var i = 0; i < 20; i++)
        {
            using var session = source.BeginSession();
            await source.WriteAsync($"INSERT INTO items (name) VALUES ('own {i}')");
            (await CountAsync(source, $"own {i}")).ShouldBe(1);
        }
    }

    [Fact]
    public async Task After_a_promotion_a_replica_serves_once_its_control_file_shows_the_timeline()
    {
        await using var source = await ConnectAsync();
        await Cluster["pg-1"].KillAsync(Stop);
        await Cluster["pg-2"].PromoteAsync(cancellationToken: Stop);
        await StoreCluster.UntilAsync(source, nodes => nodes.Primary == "pg-2");
        using var session = source.BeginSession();
        await source.WriteAsync("INSERT INTO items (name) VALUES ('own')");
        await Cluster["pg-2"].RunAsync("CHECKPOINT");
        await Cluster["pg-3"].WaitForReplayAsync(Stop);
        await Cluster["pg-3"].RunAsync("CHECKPOINT");
        await source.Cluster.Monitor.SampleAsync(2, Stop);

        source.Cluster.Monitor.Snapshot.Nodes[2].LeastTimeline.ShouldBe(2u);
        await source.UntilReadOnReplicaAsync(Cluster);
        (await CountAsync(source, "own")).ShouldBe(1);
        _lost.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_role_without_position_rights_reads_its_own_writes_from_the_primary()
    {
        await Cluster.Primary.RunAsync(
            "REVOKE EXECUTE ON FUNCTION pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn(), pg_last_wal_replay_lsn() FROM PUBLIC");
        await Cluster.WaitForReplayAsync(Stop);
        await using var source = await ConnectAsync();

        source.Nodes.Select(node => (node.Role, node.IsServing, node.Timeline)).ShouldBe(
            [(NodeRole.Primary, true, 1u), (NodeRole.Replica, true, 0u), (NodeRole.Replica, true, 0u)]);
        _log.Entries.Count(entry => entry.Event == "PositionsHidden").ShouldBe(3);
        (await source.ReadAsync<long>("SELECT count(*) FROM items", Consistency.Eventual)).Port.ShouldNotBe(Cluster.Primary.Port);
        using var session = source.BeginSession();
        session.MarkWritten();
        (await source.ReadAsync<long>("SELECT count(*) FROM items")).Port.ShouldBe(Cluster.Primary.Port);

        await Cluster.Primary.RunAsync("GRANT EXECUTE ON FUNCTION pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn(), "
            + "pg_last_wal_replay_lsn() TO app");
        await StoreCluster.UntilAsync(source, nodes => nodes["pg-1"].Lsn > default(NpgsqlLogSequenceNumber));
        await source.UntilReadOnReplicaAsync(Cluster);
    }

    [Fact]
    public async Task A_wrong_SystemIdentifier_refuses_every_node_and_names_both_identifiers()
    {
        var right = (ulong)await Cluster.Primary.QueryAsync<long>("SELECT system_identifier FROM pg_control_system()");
        await using var wrong = await ConnectAsync(b => b.Options.SystemIdentifier = right + 1);
        await using var well = await ConnectAsync(b => b.Options.SystemIdentifier = right);

        var error = await Should.ThrowAsync<RoutingException>(wrong.WriteAsync("INSERT INTO items (name) VALUES ('never')"));
        error.Message.ShouldContain($"has the system identifier {right}, but the setting SystemIdentifier requires {right + 1}");
        wrong.Nodes.ShouldAllBe(node => !node.IsServing);
        await well.WriteAsync("INSERT INTO items (name) VALUES ('right')");
    }

    private static async Task<long> CountAsync(TidemarkDataSource source, string name) =>
        (await source.ReadAsync<long>($"SELECT count(*) FROM items WHERE name = '{name}'")).Value;

    private async Task<TidemarkDataSource> ConnectAsync(Action<TidemarkDataSourceBuilder>? configure = null)
    {
        var source = await _store.ConnectAsync(b =>
        {
            b.LoggerFactory = _log;
            b.AddToConnectionStrings("Username=app");
            configure?.Invoke(b);
        });
        source.WriteLost += (_, lostWrite) => _lost.Add(lostWrite);
        return source;
    }
}
