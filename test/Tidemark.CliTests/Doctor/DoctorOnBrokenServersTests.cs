using Npgsql;
using Tidemark.Cli.Doctor;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>
/// Findings that need a restart, a promotion or a lost slot, each on a separate cluster, and listeners that are not PostgreSQL.
/// </summary>
[Collection(nameof(RealServers))]
public sealed class DoctorOnBrokenServersTests
{
    [Fact]
    public async Task Two_primaries_an_old_timeline_another_cluster_and_another_version_are_found()
    {
        await using var cluster = await LocalCluster.StartAsync(DoctorCluster.Options(), DoctorCluster.Stop);
        await cluster["pg-2"].PromoteAsync(follow: false, DoctorCluster.Stop);

        // On a busy machine, pg-3 may be reconnecting to pg-1.
        await DoctorCluster.Targets(cluster.Nodes).WaitForFindingAsync("old-timeline", Severity.Error);
        var diagnosis = await DoctorCluster.ExamineAsync(cluster);
        var claimants = diagnosis.Only("two-primaries");
        claimants.Evidence.ShouldBe(["pg-2: pg_is_in_recovery() = false, timeline 2", "pg-1: pg_is_in_recovery() = false, timeline 1"]);
        claimants.Remedy.ShouldHaveSingleItem().ShouldStartWith("Stop pg-1, and rebuild it as a standby of pg-2");
        diagnosis.Only("old-timeline").Evidence.ShouldBe(["pg-3: receives timeline 1, pg-2 is on 2"]);
        diagnosis.Only("old-timeline").Severity.ShouldBe(Severity.Error);
        diagnosis.Only("old-timeline")
            .Remedy[1].ShouldContain($"at which the replica reaches pg-2 (from this machine: host=127.0.0.1 port={cluster["pg-2"].Port})");

        await using var other =
            await LocalCluster.StartAsync(
            new LocalClusterOptions { Replicas = 0, PostgresVersion = cluster.PostgresVersion == 18 ? 17 : 18 }, DoctorCluster.Stop);
        var stranger = DoctorCluster.Targets(other.Primary)[0] with { Name = "stranger" };
        diagnosis = await DoctorCluster.ExamineAsync([.. DoctorCluster.Targets(cluster.Nodes), stranger]);
        diagnosis.Only("other-cluster").Nodes.ShouldBe(["stranger"]);
        diagnosis.Only("two-primaries").Nodes.ShouldBe(["pg-2", "pg-1"]);
        var versions = diagnosis.Only("versions-differ");
        versions.Severity.ShouldBe(Severity.Error);
        versions.Evidence[^1].ShouldStartWith($"stranger: PostgreSQL {other.PostgresVersion}.");
    }

    [Fact]
    public async Task Settings_that_take_effect_only_with_a_restart_are_found()
    {
        await using var cluster = await LocalCluster.StartAsync(DoctorCluster.Options(), DoctorCluster.Stop);
        foreach (var setting in new[] { "max_connections = 300", "max_prepared_transactions = 5", "max_wal_senders = 2",
            "hot_standby = off" }) await cluster.Primary.RunAsync($"ALTER SYSTEM SET {setting}");
        await cluster.Primary.StopAsync(cancellationToken: DoctorCluster.Stop);
        await cluster.Primary.StartAsync(DoctorCluster.Stop);
        await cluster.Primary.RunAsync("BEGIN; CREATE TABLE prepared (); PREPARE TRANSACTION 'half'");

        var targets = DoctorCluster.Targets(cluster.Nodes);
        await targets.WaitForFindingAsync("replay-paused", Severity.Warning);
        var diagnosis = await DoctorCluster.ExamineAsync(targets, new DoctorBounds { MaxIdleTransaction = TimeSpan.Zero });
        var below = diagnosis.Only("below-primary");
        below.Nodes.ShouldBe(["pg-2", "pg-3"]);
        below.Evidence[0].ShouldBe("pg-2: max_connections = 200, pg-1 has 300, max_prepared_transactions = 0, pg-1 has 5");
        diagnosis.Only("too-few-wal-senders").Evidence.ShouldBe(["pg-1: max_wal_senders = 2, 2 in use, 2 other nodes"]);
        diagnosis.Only("hot-standby-off").Nodes.ShouldBe(["pg-1"]);
        diagnosis.Only("prepared-transaction").Evidence.ShouldHaveSingleItem().ShouldStartWith("pg-1: 'half' of role postgres");
        (await DoctorCluster.ExamineAsync(cluster)).Ids().ShouldNotContain("prepared-transaction");
    }

    [Fact]
    public async Task A_stopped_replica_is_found_until_its_slot_is_lost_and_it_cannot_stream()
    {
        await using var cluster = await LocalCluster.StartAsync(DoctorCluster.Options(replicas: 1), DoctorCluster.Stop);
        var (primary, replica) = (cluster.Primary, cluster["pg-2"]);
        var targets = DoctorCluster.Targets(cluster.Nodes);
        await replica.StopAsync(cancellationToken: DoctorCluster.Stop);
        (await DoctorCluster.ExamineAsync(cluster)).Only("node-unreachable")
            .Evidence.ShouldBe([$"pg-2: connection refused: no server listens on 127.0.0.1:{replica.Port}"]);
        await targets.WaitForFindingAsync("slot-inactive", Severity.Warning);
        (await DoctorCluster.ExamineAsync(cluster)).Only("synchronous-standby-missing").Severity.ShouldBe(Severity.Warning);

        await using (await primary.SetAsync("max_slot_wal_keep_size", "-1"))
            (await DoctorCluster.ExamineAsync(cluster)).Only("slot-without-limit").Severity.ShouldBe(Severity.Warning);
        await using var little = await primary.SetAsync("max_slot_wal_keep_size", "'1MB'");
        await using var nothing = await primary.SetAsync("wal_keep_size", "0");
        for (var segment = 0; segment < 4; segment++) await primary.RunAsync("SELECT pg_switch_wal() FROM pg_logical_emit_message(true, "
            + "'doctor', 'fills a segment')");
        (await DoctorCluster.ExamineAsync(cluster)).Only("slot-unreserved").Evidence.ShouldHaveSingleItem()
            .ShouldContain("slot pg_2 (physical), inactive, wal_status unreserved");
        await primary.RunAsync("CHECKPOINT");
        (await targets.WaitForFindingAsync("slot-lost", Severity.Error)).Remedy[0].ShouldBe("SELECT pg_drop_replication_slot('pg_2');");

        await replica.StartAsync(DoctorCluster.Stop);
        var cutOff = await targets.WaitForFindingAsync("receiver-not-streaming", Severity.Error);
        cutOff.Evidence.ShouldBe(["pg-2: pg_stat_wal_receiver is empty"]);
        (await DoctorCluster.ExamineAsync(cluster)).Ids().ShouldNotContain("slot-inactive");
    }

    [Fact]
    public async Task Low_connection_or_replication_limits_and_missing_extension_files_are_findings()
    {
        var options = DoctorCluster.Options(replicas: 0);
        foreach (var (name, value) in new[] { ("wal_level", "minimal"), ("max_wal_senders", "0"),
            ("max_connections", "20") }) options.Settings[name] = value;
        await using var cluster = await LocalCluster.StartAsync(options, DoctorCluster.Stop);
        var node = DoctorCluster.Targets(cluster.Primary)[0];
        (await DoctorCluster.ExamineAsync([node])).Ids().ShouldBe(["fsync-off"]);

        await cluster.Primary.RunAsync("INSERT INTO pg_extension VALUES (99999, 'ghost', 10, 2200, true, '1.2', NULL, NULL)");
        (await DoctorCluster.ExamineAsync([node])).Only("extension-unavailable").Evidence
            .ShouldBe(["pg-1: ghost 1.2: created in the database, but missing from pg_available_extensions"]);

        (await DoctorCluster.ExamineAsync([node with { PoolSize = 17 }])).Only("pool-exceeds-connections")
            .Severity.ShouldBe(Severity.Notice);
        (await DoctorCluster.ExamineAsync([node with { PoolSize = 8 }])).Ids().ShouldNotContain("pool-exceeds-connections");
        var pool = (await DoctorCluster.ExamineAsync([node with { PoolSize = 100 }])).Only("pool-exceeds-connections");
        pool.Severity.ShouldBe(Severity.Warning);
        pool.Evidence.ShouldBe(["pg-1: two pools (reads and writes) of up to 100 connections each; max_connections leaves 17 to ordinary "
            + "roles"]);

        var connections = new List<NpgsqlConnection>();
        for (var i = 0; i < 16; i++) connections.Add(await cluster.Primary.OpenAsync());
        (await DoctorCluster.ExamineAsync([node])).Only("connections-nearly-used").Severity.ShouldBe(Severity.Warning);
        foreach (var connection in connections) await connection.DisposeAsync();

        var twoNodes =
            await DoctorCluster.ExamineAsync([node, new DoctorNode("closed", new NpgsqlConnectionStringBuilder("Host=127.0.0.1;Port=1"))]);
        twoNodes.Only("wal-level-minimal").Nodes.ShouldBe(["pg-1"]);
        twoNodes.Only("too-few-wal-senders").Severity.ShouldBe(Severity.Error);
    }

    [Fact]
    public async Task A_replica_without_an_extension_or_with_another_version_of_its_files_is_found()
    {
        // Since PostgreSQL 18, servers on one machine can have different extensions.
        await using var cluster =
            await LocalCluster.StartAsync(new LocalClusterOptions { Replicas = 1, PostgresVersion = 18 }, DoctorCluster.Stop);
        var (primary, replica) = (cluster.Primary, cluster["pg-2"]);
        var (ours, theirs) = (Extension("1.2"), Extension("1.3"));
        try
        {
            await using var path = await primary.SetAsync("extension_control_path", $"'$system:{ours.FullName}'");
            await primary.RunAsync("CREATE EXTENSION tides");
            await cluster.WaitForReplayAsync(DoctorCluster.Stop);
            var missing = (await DoctorCluster.ExamineAsync(cluster)).Only("extension-unavailable");
            (missing.Severity, missing.Evidence.ShouldHaveSingleItem())
                .ShouldBe((Severity.Error, "pg-2: tides 1.2: created in the database, but missing from pg_available_extensions"));

            await using (await replica.SetAsync("extension_control_path", $"'$system:{theirs.FullName}'"))
            {
                var other = (await DoctorCluster.ExamineAsync(cluster)).Only("extension-unavailable");
                (other.Severity, other.Evidence.ShouldHaveSingleItem())
                    .ShouldBe((Severity.Warning, "pg-2: tides 1.2: missing from pg_available_extension_versions, but present on pg-1"));
            }

            await using (await replica.SetAsync("extension_control_path", $"'$system:{ours.FullName}'"))
                (await DoctorCluster.ExamineAsync(cluster)).Ids().ShouldNotContain("extension-unavailable");
        }
        finally
        {
            ours.Delete(recursive: true);
            theirs.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_listener_that_never_responds_is_unreachable_after_the_time_out()
    {
        await using var silent = new OddListener(answer: null);
        var start = TimeProvider.System.GetTimestamp();
        var diagnosis = await DoctorCluster.ExamineAsync([Node(silent)]);
        TimeProvider.System.GetElapsedTime(start).ShouldBeInRange(TimeSpan.FromSeconds(4.5), TimeSpan.FromSeconds(7));
        diagnosis.Only("node-unreachable").Evidence.ShouldHaveSingleItem().ShouldContain("did not respond within 5 s");
    }

    [Theory]
    [InlineData("HTTP/1.1 400 Bad Request\r\n\r\n", "sent a response that is not PostgreSQL's")]
    [InlineData("", "closed the connection before sending a PostgreSQL response")]
    public async Task A_port_that_is_not_PostgreSQL_is_reported_as_such(string answer, string reason)
    {
        await using var web = new OddListener(answer);
        (await DoctorCluster.ExamineAsync([Node(web)])).Only("node-unreachable").Evidence.ShouldHaveSingleItem().ShouldContain(reason);
    }

    // An extension folder that the operating system user of the servers can read.
    private static DirectoryInfo Extension(string version)
    {
        var folder = Directory.CreateTempSubdirectory();
        var files = folder.CreateSubdirectory("extension");
        foreach (var each in new[] { folder, files })
        {
            if (!OperatingSystem.IsWindows())
                each.UnixFileMode |= UnixFileMode.GroupRead | UnixFileMode.GroupExecute
                    | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        }

        File.WriteAllText(Path.Combine(files.FullName, "tides.control"), $"default_version = '{version}'\n");
        File.WriteAllText(Path.Combine(files.FullName, $"tides--{version}.sql"),
            "CREATE FUNCTION tide() RETURNS int LANGUAGE sql AS 'SELECT 1';\n");
        return folder;
    }

    private static DoctorNode Node(OddListener listener) => new("odd", new NpgsqlConnectionStringBuilder(listener.ConnectionString));
}
