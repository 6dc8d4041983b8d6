using System.Net;
using System.Net.Sockets;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>Nodes that a promotion left behind become replicas of the current primary, each by the cheapest method that works.</summary>
public sealed class RejoinTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_old_primary_with_later_writes_is_rewound_and_loses_those_rows()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 2, Stop);
        var (old, table) = (cluster.Primary, await cluster.Primary.MakeTableAsync());
        await cluster.WaitForReplayAsync(Stop);
        await cluster["pg-2"].PromoteAsync(cancellationToken: Stop);
        await old.RunAsync($"INSERT INTO {table} VALUES (1)");
        await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (2)");

        var outcome = await old.RejoinAsync(Stop);
        outcome.Method.ShouldBe(RejoinMethod.Rewind);
        outcome.Obstacles.ShouldBeEmpty();
        await ShouldBeReplicaWithAsync(cluster, old, table, row: 2);
        (await Should.ThrowAsync<InvalidOperationException>(() => old.RejoinAsync(Stop))).Message.ShouldContain("streams from pg-2");
        (await Should.ThrowAsync<InvalidOperationException>(() => cluster["pg-2"].RejoinAsync(Stop)))
            .Message.ShouldContain("pg-2 is the primary");

        // And back.
        await old.PromoteAsync(cancellationToken: Stop);
        await old.RunAsync($"UPDATE {table} SET id = 3");
        (await cluster["pg-2"].RejoinAsync(Stop)).Method.ShouldBe(RejoinMethod.Rewind);
        await ShouldBeReplicaWithAsync(cluster, cluster["pg-2"], table, row: 3);
    }

    [Fact]
    public async Task A_killed_primary_is_rewound_too()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 1, Stop);
        var (old, table) = (cluster.Primary, await cluster.Primary.MakeTableAsync());
        await cluster.WaitForReplayAsync(Stop);
        await old.RunAsync($"INSERT INTO {table} VALUES (1)");
        await old.KillAsync(Stop);
        await cluster["pg-2"].PromoteAsync(cancellationToken: Stop);
        await cluster.Primary.RunAsync($"DELETE FROM {table}; INSERT INTO {table} VALUES (2)");

        var outcome = await old.RejoinAsync(Stop);
        outcome.Obstacles.ShouldBeEmpty();
        outcome.Method.ShouldBe(RejoinMethod.Rewind);
        await ShouldBeReplicaWithAsync(cluster, old, table, row: 2);
    }

    [Fact]
    public async Task A_replica_that_was_down_during_a_promotion_only_follows()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 2, Stop);
        var table = await cluster.Primary.MakeTableAsync();
        await cluster.WaitForReplayAsync(Stop);
        await cluster["pg-3"].KillAsync(Stop);
        await cluster["pg-2"].PromoteAsync(cancellationToken: Stop);
        await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (2)");

        (await cluster["pg-3"].RejoinAsync(Stop)).Method.ShouldBe(RejoinMethod.Follow);
        await ShouldBeReplicaWithAsync(cluster, cluster["pg-3"], table, row: 2);
    }

    [Fact]
    public async Task A_replica_that_replayed_WAL_the_new_primary_never_had_is_rewound()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 2, Stop);
        var table = await cluster.Primary.MakeTableAsync();
        await cluster.WaitForReplayAsync(Stop);
        await cluster["pg-2"].PromoteAsync(follow: false, Stop);
        await cluster["pg-1"].RunAsync($"INSERT INTO {table} VALUES (1)");
        await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (2)");
        await cluster["pg-1"].StopAsync(cancellationToken: Stop);           // sends all WAL before it stops

        var outcome = await cluster["pg-3"].RejoinAsync(Stop);
        outcome.Method.ShouldBe(RejoinMethod.Rewind);
        outcome.Obstacles.ShouldHaveSingleItem().ShouldContain("following was not enough");
        await ShouldBeReplicaWithAsync(cluster, cluster["pg-3"], table, row: 2);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_promotion_rejoins_a_replica_that_had_received_more(bool hasReplayed)
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 3, Stop);
        var (next, ahead) = (cluster["pg-2"], cluster["pg-3"]);
        var table = await cluster.Primary.MakeTableAsync();
        await cluster.WaitForReplayAsync(Stop);
        await next.StopAsync(cancellationToken: Stop);
        if (!hasReplayed) await ahead.DelayReplayAsync(TimeSpan.FromHours(1), Stop);
        await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (1)");
        await ahead.UntilAsync<bool>($"SELECT pg_last_wal_receive_lsn() >= '{await cluster.Primary.Replication.FlushPositionAsync(Stop)}'",
            has => has);
        await cluster.Primary.KillAsync(Stop);
        await next.StartAsync(Stop);

        await next.PromoteAsync(cancellationToken: Stop);
        if (!hasReplayed) await ahead.DelayReplayAsync(TimeSpan.Zero, Stop);
        await next.RunAsync($"INSERT INTO {table} VALUES (2)");
        foreach (var replica in cluster.Replicas) await ShouldBeReplicaWithAsync(cluster, replica, table, row: 2);
        cluster.Replicas.Select(replica => replica.Name).ShouldBe(["pg-3", "pg-4"]);
    }

    [Theory]
    [InlineData(15)]    // with pg_rewind, which fails
    [InlineData(16)]    // the package of npm, which has none
    [InlineData(17)]
    [InlineData(18)]
    public async Task A_node_that_cannot_be_rewound_is_copied_under_load(int major)
    {
        await using var cluster = await LocalCluster.StartAsync(new LocalClusterOptions { Replicas = 1, PostgresVersion = major }, Stop);
        var (old, table) = (cluster.Primary, await cluster.Primary.MakeTableAsync());
        await cluster.WaitForReplayAsync(Stop);
        await old.KillAsync(Stop);
        await cluster["pg-2"].PromoteAsync(cancellationToken: Stop);
        File.Delete(Path.Combine(old.DataDirectory, "global", "pg_control"));
        await cluster.Primary.RunAsync($"CREATE TABLE busy_{table} (id int)");

        var load = cluster.Primary.RunAsync($"DO $$ BEGIN FOR i IN 1..300 LOOP INSERT INTO busy_{table} SELECT generate_series(1, 500); "
            + "COMMIT; END LOOP; END $$");
        var outcome = await old.RejoinAsync(Stop);
        await load;
        outcome.Method.ShouldBe(RejoinMethod.Copy);
        outcome.Obstacles.ShouldHaveSingleItem().ShouldContain("pg_rewind");
        await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (2)");
        await ShouldBeReplicaWithAsync(cluster, old, table, row: 2);
        (await old.CountAsync($"busy_{table}")).ShouldBe(150_000);
    }

    [Fact]
    public async Task A_node_without_its_data_gets_a_copy()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 1, Stop);
        var (replica, table) = (cluster["pg-2"], await cluster.Primary.MakeTableAsync());
        await replica.StopAsync(cancellationToken: Stop);
        Directory.Delete(replica.DataDirectory, recursive: true);
        (await Should.ThrowAsync<LocalClusterException>(() => replica.StartAsync(Stop))).Message.ShouldContain("rejoin");

        var outcome = await replica.RejoinAsync(Stop);
        outcome.Method.ShouldBe(RejoinMethod.Copy);
        outcome.Obstacles.ShouldHaveSingleItem().ShouldContain("does not exist");
        await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (2)");
        await ShouldBeReplicaWithAsync(cluster, replica, table, row: 2);
    }

    [Fact]
    public async Task A_node_that_starts_and_then_fails_every_query_gets_a_copy()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 1, Stop);
        var (replica, table) = (cluster["pg-2"], await cluster.Primary.MakeTableAsync());
        await replica.StopAsync(cancellationToken: Stop);
        await File.WriteAllTextAsync(Path.Combine(replica.DataDirectory, "pg_hba.conf"), "host all all 127.0.0.1/32 reject\n", Stop);

        var outcome = await replica.RejoinAsync(Stop);
        outcome.Method.ShouldBe(RejoinMethod.Copy);
        outcome.Obstacles.ShouldContain(obstacle => obstacle.Contains("following was not enough", StringComparison.Ordinal));
        await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (2)");
        await ShouldBeReplicaWithAsync(cluster, replica, table, row: 2);
    }

    [Fact]
    public async Task An_interrupted_replacement_is_not_started_but_copied_again()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 1, Stop);
        var (old, table) = (cluster.Primary, await cluster.Primary.MakeTableAsync());
        await cluster.WaitForReplayAsync(Stop);
        await cluster["pg-2"].PromoteAsync(cancellationToken: Stop);
        var memory = (await File.ReadAllLinesAsync(Path.Combine(old.DataDirectory, "postmaster.pid"), Stop))[6];
        memory = string.Join(' ', memory.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        await old.KillAsync(Stop);
        SharedMemory().ShouldContain(memory);
        old.BeginReplacement();         // the step of a rejoin before its data is changed
        var error = await Should.ThrowAsync<LocalClusterException>(() => old.StartAsync(Stop));
        error.Message.ShouldContain("tidemark cluster rejoin pg-1");

        var outcome = await old.RejoinAsync(Stop);
        outcome.Method.ShouldBe(RejoinMethod.Copy);
        await cluster.Primary.RunAsync($"INSERT INTO {table} VALUES (2)");
        await ShouldBeReplicaWithAsync(cluster, old, table, row: 2);
        SharedMemory().ShouldNotContain(memory);        // no file leads to it any more
    }

    [Fact]
    public async Task A_replica_that_was_left_behind_is_not_promoted_over_the_current_primary()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 2, Stop);
        await cluster["pg-3"].StopAsync(cancellationToken: Stop);
        await cluster.Primary.KillAsync(Stop);
        await cluster["pg-2"].PromoteAsync(cancellationToken: Stop);
        await cluster.Primary.KillAsync(Stop);
        await cluster["pg-3"].StartAsync(Stop);

        var refusal = await Should.ThrowAsync<InvalidOperationException>(() => cluster["pg-3"].PromoteAsync(cancellationToken: Stop));
        refusal.Message.ShouldContain("it follows pg-1, but pg-2 is now the primary");
        (await cluster["pg-3"].QueryAsync<bool>("SELECT pg_is_in_recovery()")).ShouldBeTrue();
        await cluster.Primary.StartAsync(Stop);
        await cluster["pg-3"].RejoinAsync(Stop);
        await cluster["pg-3"].PromoteAsync(cancellationToken: Stop);
    }

    [Fact]
    public async Task A_node_whose_port_another_program_has_keeps_its_data()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 1, Stop);
        var replica = cluster["pg-2"];
        await replica.StopAsync(cancellationToken: Stop);
        using (var other = new TcpListener(IPAddress.Loopback, replica.Port))
        {
            other.Start();
            (await Should.ThrowAsync<LocalClusterException>(() => replica.RejoinAsync(Stop)))
                .Message.ShouldContain($"Another program listens on port {replica.Port}");
        }

        await replica.StartAsync(Stop);
        await cluster.WaitForReplayAsync(Stop);
    }

    [Fact]
    public async Task A_primary_that_is_down_is_reported()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 1, Stop);
        await cluster["pg-2"].PromoteAsync(cancellationToken: Stop);
        await cluster.Primary.StopAsync(cancellationToken: Stop);
        (await Should.ThrowAsync<LocalClusterException>(() => cluster["pg-1"].RejoinAsync(Stop)))
            .Message.ShouldContain("the primary, pg-2, is down");
    }

    // Key and id of each shared memory segment.
    private static List<string> SharedMemory() =>
        [.. File.ReadLines("/proc/sysvipc/shm")
            .Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Take(2)))];

    private static async Task ShouldBeReplicaWithAsync(LocalCluster cluster, LocalNode node, string table, int row)
    {
        node.Follows.ShouldBe(cluster.Primary);
        await cluster.WaitForReplayAsync(Stop);
        (await node.QueryAsync<bool>("SELECT pg_is_in_recovery()")).ShouldBeTrue();
        (await node.QueryAsync<int[]>($"SELECT array_agg(id) FROM {table}")).ShouldBe([row]);
        (await node.QueryAsync<long>("SELECT count(*) FROM pg_replication_slots")).ShouldBe(0);

        // WaitForReplayAsync waits for it as for any other replica.
        await cluster.Primary.RunAsync("BEGIN; SET LOCAL synchronous_commit = remote_apply; CREATE TABLE barrier (); DROP TABLE "
            + "barrier; COMMIT");
        (await cluster.Primary.QueryAsync<string>("SELECT sync_state FROM pg_stat_replication WHERE application_name = '" + node.Name
            + "'"))
            .ShouldBe("sync");
    }
}
