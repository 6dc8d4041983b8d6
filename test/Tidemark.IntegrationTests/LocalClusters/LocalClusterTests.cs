using System.Globalization;
using NpgsqlTypes;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>The behaviour of a running cluster. All tests share one cluster, and each restores its state.</summary>
public sealed class LocalClusterTests(LocalClusterOfThree shared) : IClassFixture<LocalClusterOfThree>
{
    private readonly LocalCluster _cluster = shared.Cluster;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Rows_written_on_the_primary_stream_to_every_replica()
    {
        var table = await _cluster.Primary.MakeTableAsync();
        await _cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (1)");
        await _cluster.WaitForReplayAsync(Stop);

        _cluster.Replicas.Select(replica => replica.Name).ShouldBe(["pg-2", "pg-3"]);
        foreach (var replica in _cluster.Replicas)
        {
            (await replica.CountAsync(table)).ShouldBe(1);
            (await replica.QueryAsync<bool>("SELECT pg_is_in_recovery()")).ShouldBeTrue();
            (await replica.QueryAsync<string>("SELECT slot_name::text FROM pg_stat_wal_receiver"))
                .ShouldBe(ServerSettings.SlotOf(replica.Name));
        }
    }

    [Fact]
    public async Task A_remote_apply_commit_is_on_every_replica_when_it_returns()
    {
        var table = await _cluster.Primary.MakeTableAsync();
        for (var rows = 1; rows <= 20; rows++)
        {
            await _cluster.Primary.RunAsync($"BEGIN; SET LOCAL synchronous_commit = remote_apply; INSERT INTO {table} VALUES (1); COMMIT");
            foreach (var replica in _cluster.Replicas)
                (await replica.CountAsync(table)).ShouldBe(rows);
        }
    }

    [Fact]
    public async Task A_paused_replica_shows_nothing_committed_after_the_pause_until_it_resumes()
    {
        var table = await _cluster.Primary.MakeTableAsync();
        var (paused, other) = (_cluster["pg-2"], _cluster["pg-3"]);
        await _cluster.WaitForReplayAsync(Stop);
        for (var round = 0; round < 10; round++)
        {
            await paused.PauseReplayAsync(Stop);
            var before = await paused.CountAsync(table);
            await _cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (1)");
            await _cluster.WaitForReplayAsync(Stop);     // waits only for the other replica, not for the paused one

            (await other.CountAsync(table)).ShouldBe(before + 1);
            (await paused.CountAsync(table)).ShouldBe(before);

            await paused.ResumeReplayAsync(Stop);
            await paused.WaitForReplayAsync(Stop);
            (await paused.CountAsync(table)).ShouldBe(before + 1);
        }
    }

    [Fact]
    public async Task A_pause_under_load_is_exact_when_the_call_returns()
    {
        const string position = "SELECT pg_last_wal_replay_lsn()";
        var table = await _cluster.Primary.MakeTableAsync();
        var (paused, other) = (_cluster["pg-2"], _cluster["pg-3"]);
        for (var round = 0; round < 10; round++)
        {
            // The pause happens while this is written, sent and replayed.
            var written = _cluster.Primary.RunAsync($"INSERT INTO {table} SELECT generate_series(1, 50000)");
            await paused.PauseReplayAsync(Stop);
            var stoppedAt = await paused.QueryAsync<NpgsqlLogSequenceNumber>(position);
            await written;
            await _cluster.WaitForReplayAsync(Stop);
            (await paused.QueryAsync<NpgsqlLogSequenceNumber>(position)).ShouldBe(stoppedAt);
            (await other.QueryAsync<NpgsqlLogSequenceNumber>(position)).ShouldBeGreaterThan(stoppedAt);
            await paused.ResumeReplayAsync(Stop);
        }
    }

    [Fact]
    public async Task A_delayed_replica_shows_a_commit_after_the_delay_and_without_it_at_once()
    {
        var table = await _cluster.Primary.MakeTableAsync();
        var (delayed, time) = (_cluster["pg-3"], TimeProvider.System);
        await delayed.DelayReplayAsync(TimeSpan.FromMilliseconds(300), Stop);
        await _cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (1)");
        var committed = time.GetTimestamp();
        await _cluster["pg-2"].WaitForReplayAsync(Stop);
        await delayed.WaitForReplayAsync(Stop);
        time.GetElapsedTime(committed).ShouldBeGreaterThan(TimeSpan.FromMilliseconds(280));

        await delayed.DelayReplayAsync(TimeSpan.FromHours(1), Stop);
        await _cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (2)");
        await delayed.DelayReplayAsync(TimeSpan.Zero, Stop);
        await delayed.WaitForReplayAsync(Stop);
        (await delayed.CountAsync(table)).ShouldBe(2);
    }

    [Fact]
    public async Task A_delay_is_in_force_when_the_call_returns()
    {
        var table = await _cluster.Primary.MakeTableAsync();
        var delayed = _cluster["pg-3"];
        for (var round = 0; round < 10; round++)
        {
            await delayed.WaitForReplayAsync(Stop);
            await delayed.DelayReplayAsync(TimeSpan.FromHours(1), Stop);
            await _cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (1)");
            await _cluster["pg-2"].WaitForReplayAsync(Stop);
            (await _cluster["pg-2"].CountAsync(table)).ShouldBe(round + 1);
            (await delayed.CountAsync(table)).ShouldBe(round);
            await delayed.DelayReplayAsync(TimeSpan.Zero, Stop);
        }
    }

    [Fact]
    public async Task An_idle_cluster_stays_at_one_position()
    {
        await _cluster.WaitForReplayAsync(Stop);
        var lsn = await _cluster.Primary.QueryAsync<NpgsqlLogSequenceNumber>("SELECT pg_current_wal_insert_lsn()");
        await _cluster.WaitForReplayAsync(Stop);
        (await _cluster.Primary.QueryAsync<NpgsqlLogSequenceNumber>("SELECT pg_current_wal_insert_lsn()")).ShouldBe(lsn);
    }

    [Fact]
    public async Task The_properties_of_a_node_match_the_server()
    {
        foreach (var node in _cluster.Nodes)
        {
            var file = await node.QueryAsync<string>("SELECT pg_read_file('postmaster.pid')");
            file.Split('\n')[0].ShouldBe(node.ProcessId?.ToString(CultureInfo.InvariantCulture));
            (await node.QueryAsync<string>("SHOW cluster_name")).ShouldBe(node.Name);
            (await node.QueryAsync<string>("SHOW data_directory")).ShouldBe(node.DataDirectory);
            (await node.QueryAsync<string>("SELECT current_database()::text")).ShouldBe("store");
            (await node.QueryAsync<string>("SHOW fsync")).ShouldBe("off");
            node.ReadLog(5).Count.ShouldBeInRange(1, 5);
            node.ReadLog(int.MaxValue).ShouldContain(line => line.Contains("ready to accept", StringComparison.Ordinal));
        }

        _cluster["pg-2"].Follows.ShouldBe(_cluster.Primary);
        Should.Throw<KeyNotFoundException>(() => _cluster["pg-9"]).Message.ShouldContain("it has pg-1, pg-2, pg-3");
    }

    [Fact]
    public void Progress_reports_each_step_and_ends_with_ready()
    {
        shared.Progress[0].Stage.ShouldStartWith("Looking for PostgreSQL");
        shared.Progress[^1].Stage.ShouldBe("Ready");
        shared.Progress.Select(step => step.Elapsed).ShouldBeInOrder();
    }
}
