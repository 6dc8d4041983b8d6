using Tidemark.Testing;

namespace Tidemark;

/// <summary>Nodes that stop, start, die and are promoted. Each test has a cluster of its own.</summary>
public sealed class LocalClusterEpochTests
{
    private const string SynchronousStandbys =
        "SELECT string_agg(application_name, ' ' ORDER BY application_name) FROM pg_stat_replication WHERE sync_state = 'sync'";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(StopMode.Fast)]
    [InlineData(StopMode.Immediate)]
    public async Task A_stopped_replica_delays_no_commit_and_catches_up_when_it_is_started(StopMode mode)
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 1, Stop);
        var replica = cluster["pg-2"];
        var table = await cluster.Primary.MakeTableAsync();

        await replica.StopAsync(mode, Stop);
        replica.IsRunning.ShouldBeFalse();
        replica.ProcessId.ShouldBeNull();
        replica.ReadLog(100).ShouldContain(line => line.Contains($"received {mode} shutdown", StringComparison.OrdinalIgnoreCase));
        await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (1)");
        await cluster.WaitForReplayAsync(Stop);     // no replica runs

        await replica.StartAsync(Stop);
        await cluster.WaitForReplayAsync(Stop);
        (await replica.CountAsync(table)).ShouldBe(1);
    }

    [Theory]
    [InlineData(StopMode.Fast)]
    [InlineData(StopMode.Immediate)]
    public async Task A_stopped_primary_comes_back_with_its_rows_and_its_replicas(StopMode mode)
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 1, Stop);
        var table = await cluster.Primary.MakeTableAsync();
        await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (1)");
        await cluster.WaitForReplayAsync(Stop);

        await cluster.Primary.StopAsync(mode, Stop);
        (await cluster["pg-2"].CountAsync(table)).ShouldBe(1);
        await cluster.Primary.StartAsync(Stop);
        await cluster.Primary.StartAsync(Stop);     // it already runs: does nothing
        await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (2)");
        await cluster.WaitForReplayAsync(Stop);

        (await cluster["pg-2"].CountAsync(table)).ShouldBe(2);
    }

    [Fact]
    public async Task Any_node_can_be_killed_and_started_again_at_once()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 1, Stop);
        var table = await cluster.Primary.MakeTableAsync();
        for (var round = 1; round <= 3; round++)
        {
            foreach (var node in cluster.Nodes)
            {
                var epoch = node.ProcessId;
                await node.KillAsync(Stop);
                node.IsRunning.ShouldBeFalse();
                await node.StartAsync(Stop);
                node.ProcessId.ShouldNotBe(epoch);
            }

            await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (1)");
            await cluster.WaitForReplayAsync(Stop);
            (await cluster["pg-2"].CountAsync(table)).ShouldBe(round);
        }
    }

    [Fact]
    public async Task After_a_promotion_the_other_replicas_stream_from_the_new_primary()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 3, Stop);
        var (old, next) = (cluster.Primary, cluster["pg-3"]);
        var table = await old.MakeTableAsync();
        await cluster["pg-4"].StopAsync(cancellationToken: Stop);
        await cluster.WaitForReplayAsync(Stop);
        await old.KillAsync(Stop);

        await next.PromoteAsync(cancellationToken: Stop);
        cluster.Primary.ShouldBe(next);
        cluster.Replicas.ShouldBe([cluster["pg-2"], cluster["pg-4"]]);
        await next.RunAsync($"BEGIN; SET LOCAL synchronous_commit = remote_apply; INSERT INTO {table} VALUES (1); COMMIT");
        (await cluster["pg-2"].CountAsync(table)).ShouldBe(1);
        (await next.QueryAsync<string>(SynchronousStandbys)).ShouldBe("pg-2");

        // The stopped node still follows the old primary until FollowAsync.
        await cluster["pg-4"].FollowAsync(next, Stop);
        await cluster["pg-4"].StartAsync(Stop);
        await cluster.WaitForReplayAsync(Stop);
        (await cluster["pg-4"].CountAsync(table)).ShouldBe(1);
        await next.RunAsync($"BEGIN; SET LOCAL synchronous_commit = remote_apply; CREATE TABLE barrier (); COMMIT");
        (await next.QueryAsync<string>(SynchronousStandbys)).ShouldBe("pg-2 pg-4");

        await cluster["pg-2"].PromoteAsync(cancellationToken: Stop);
        await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (2)");
        await cluster.WaitForReplayAsync(Stop);
        (await cluster["pg-4"].CountAsync(table)).ShouldBe(2);
    }

    [Fact]
    public async Task A_promotion_that_nobody_follows_leaves_two_primaries()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 2, Stop);
        var (old, next) = (cluster.Primary, cluster["pg-2"]);
        var table = await old.MakeTableAsync();
        await cluster.WaitForReplayAsync(Stop);

        await next.PromoteAsync(follow: false, Stop);
        await old.RunAsync($"INSERT INTO {table} VALUES (1)");
        await next.RunAsync($"INSERT INTO {table} VALUES (2), (3)");
        cluster["pg-3"].Follows.ShouldBe(old);
        await cluster.WaitForReplayAsync(Stop);     // waits for no replica: pg-3 follows the old primary

        (await old.CountAsync(table)).ShouldBe(1);
        (await next.CountAsync(table)).ShouldBe(2);
        (await Should.ThrowAsync<InvalidOperationException>(() => old.FollowAsync(next, Stop))).Message.ShouldContain("rewound");
        (await Should.ThrowAsync<InvalidOperationException>(() => next.PromoteAsync(cancellationToken: Stop)))
            .Message.ShouldContain("not a replica");
    }

    [Fact]
    public async Task A_wait_that_times_out_names_its_condition_and_quotes_the_log()
    {
        await using var cluster = await LocalCluster.StartAsync(
            new LocalClusterOptions { Replicas = 1, Timeout = TimeSpan.FromSeconds(3), Settings = { ["log_line_prefix"] = "quoted: " } },
                Stop);
        var replica = cluster["pg-2"];
        await replica.PauseReplayAsync(Stop);
        await cluster.Primary.RunAsync("CREATE TABLE late ()");

        var error = await Should.ThrowAsync<LocalClusterException>(() => replica.WaitForReplayAsync(Stop));
        error.Message.ShouldContain("pg-2 did not replay 0/");
        error.Message.ShouldContain("LocalClusterOptions.Timeout");
        error.Message.ShouldContain("quoted: LOG:");
    }
}
