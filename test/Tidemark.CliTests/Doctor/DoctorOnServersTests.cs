using Npgsql;
using Tidemark.Cli.Doctor;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>
/// Findings caused by a setting, a role or a row, on a healthy cluster that these tests share. Each test restores what it changed.
/// </summary>
[Collection(nameof(RealServers))]
public sealed class DoctorOnServersTests(DoctorOnServersTests.HealthyCluster healthy) : IClassFixture<DoctorOnServersTests.HealthyCluster>
{
    private LocalCluster Cluster => healthy.Cluster;

    private LocalNode Primary => Cluster["pg-1"];

    private LocalNode Replica => Cluster["pg-2"];

    [Fact]
    public async Task A_healthy_cluster_has_only_notices_and_all_checks_are_made()
    {
        var diagnosis = await DoctorCluster.ExamineAsync(Cluster);
        diagnosis.Ids().ShouldBe(["fsync-off"]);
        diagnosis.Findings.ShouldAllBe(finding => finding.Severity == Severity.Notice);
        diagnosis.NotChecked.ShouldBeEmpty();
        diagnosis.Nodes.Select(node => node.Role).ShouldBe(["primary", "replica", "replica"]);
    }

    [Theory]
    [InlineData("pg-1", "full_page_writes", "off", "full-page-writes-off", "Notice")]
    [InlineData("pg-1", "full_page_writes", "off", "cannot-rewind", "Notice")]
    [InlineData("pg-1", "synchronous_commit", "off", "asynchronous-commit", "Notice")]
    [InlineData("pg-1", "default_transaction_isolation", "'repeatable read'", "isolation-not-read-committed", "Warning")]
    [InlineData("pg-2", "default_transaction_isolation", "serializable", "isolation-not-read-committed", "Error")]
    [InlineData("pg-2", "hot_standby_feedback", "off", "hot-standby-feedback-off", "Notice")]
    [InlineData("pg-3", "max_standby_streaming_delay", "-1", "replay-waits-without-bound", "Warning")]
    [InlineData("pg-2", "recovery_min_apply_delay", "50", "replay-delayed", "Warning")]
    [InlineData("pg-1", "max_slot_wal_keep_size", "-1", "slot-without-limit", "Notice")]
    [InlineData("pg-1", "synchronous_standby_names", "'FIRST 1 (ghost)'", "synchronous-standby-missing", "Warning")]
    public async Task A_setting_is_reported_for_its_node(string node, string setting, string value, string id, string severity)
    {
        await using var set = await Cluster[node].SetAsync(setting, value);
        var finding = await DoctorCluster.Targets(Cluster.Nodes).WaitForFindingAsync(id, Enum.Parse<Severity>(severity));
        finding.Nodes.ShouldBe([node]);
        finding.Evidence.ShouldHaveSingleItem().ShouldContain(value.Trim('\''));
    }

    [Fact]
    public async Task A_synchronous_commit_without_enough_standbys_is_found()
    {
        await using var apply = await Primary.SetAsync("synchronous_commit", "remote_apply");
        await using (await Primary.SetAsync("synchronous_standby_names", "''"))
            (await DoctorCluster.ExamineAsync(Cluster)).Only("synchronous-without-standby").Severity.ShouldBe(Severity.Warning);

        // ALTER SYSTEM writes no WAL, so it does not wait for a standby.
        await using var ghosts = await Primary.SetAsync("synchronous_standby_names", "'ANY 3 (*)'");
        var finding = await DoctorCluster.Targets(Cluster.Nodes).WaitForFindingAsync("synchronous-standby-missing", Severity.Error);
        finding.Evidence.ShouldHaveSingleItem().ShouldContain("requires 3, 2 connected");
    }

    [Fact]
    public async Task A_primary_made_read_only_by_a_database_setting_is_found()
    {
        await Primary.RunAsync("ALTER DATABASE store SET default_transaction_read_only = on");
        try
        {
            var finding = (await DoctorCluster.ExamineAsync(Cluster)).Only("primary-read-only");
            finding.Evidence.ShouldBe(["pg-1: default_transaction_read_only = on (set for the database)"]);
        }
        finally
        {
            await Primary.RunAsync("SET default_transaction_read_only = off; ALTER DATABASE store RESET default_transaction_read_only");
        }
    }

    [Fact]
    public async Task A_missing_primary_and_a_standby_that_is_not_configured_are_found()
    {
        (await DoctorCluster.ExamineAsync(DoctorCluster.Targets(Cluster.Replicas))).Only("no-primary").Nodes.ShouldBe(["pg-2", "pg-3"]);

        var diagnosis = await DoctorCluster.ExamineAsync(DoctorCluster.Targets(Primary, Replica));
        diagnosis.Only("standby-not-configured").Evidence.ShouldBe(["pg-1: pg-3 at 127.0.0.1/32 is streaming"]);
        diagnosis.Findings.ShouldAllBe(finding => finding.Severity == Severity.Notice);
    }

    [Fact]
    public async Task A_paused_replica_is_found_with_its_staleness_and_missing_types()
    {
        await Replica.PauseReplayAsync(DoctorCluster.Stop);
        try
        {
            await Primary.RunAsync("CREATE TYPE mood AS ENUM ('sad', 'glad')");
            await Primary.RunAsync("UPDATE pg_extension SET extversion = '1.1' WHERE extname = 'plpgsql'");
            var targets = DoctorCluster.Targets(Cluster.Nodes);
            var stale =
                await targets.WaitForFindingAsync("replica-stale", Severity.Warning,
                new DoctorBounds { MaxStaleness = TimeSpan.FromMilliseconds(200) });
            stale.Nodes.ShouldBe(["pg-2"]);
            stale.Consequence.ShouldContain("0.2 s");

            var diagnosis = await DoctorCluster.ExamineAsync(Cluster);
            diagnosis.Only("replay-paused").Evidence.ShouldBe(["pg-2: pg_get_wal_replay_pause_state() = 'paused'"]);
            diagnosis.Only("enums-differ").Evidence.ShouldHaveSingleItem()
                .ShouldMatch(@"^pg-2: public\.mood \(missing; on pg-1 oid \d+: sad, glad\)$");
            diagnosis.Only("extensions-differ").Evidence.ShouldBe(["pg-2: plpgsql (1.0; on pg-1 1.1)"]);
            diagnosis.Ids().ShouldNotContain("extension-unavailable", "a version without a script on any machine still works where it was "
                + "created");
            diagnosis.Ids().ShouldNotContain("replica-stale");
        }
        finally
        {
            await Primary.RunAsync("DROP TYPE mood; UPDATE pg_extension SET extversion = '1.0' WHERE extname = 'plpgsql'");
            await Replica.ResumeReplayAsync(DoctorCluster.Stop);
            await Cluster.WaitForReplayAsync(DoctorCluster.Stop);
        }
    }

    [Fact]
    public async Task A_replica_that_catches_up_within_the_limit_is_not_stale()
    {
        await Primary.RunAsync("CREATE TABLE late ()");
        await Cluster.WaitForReplayAsync(DoctorCluster.Stop);
        await Replica.DelayReplayAsync(TimeSpan.FromSeconds(1), DoctorCluster.Stop);
        var impatient = new DoctorBounds { MaxStaleness = TimeSpan.FromMilliseconds(1), CatchUp = TimeSpan.Zero };
        await Primary.RunAsync("DROP TABLE late");
        (await DoctorCluster.ExamineAsync(Cluster, impatient)).Only("replica-stale").Nodes.ShouldBe(["pg-2"]);
        (await DoctorCluster.ExamineAsync(Cluster, impatient with { CatchUp = TimeSpan.FromSeconds(20) })).Ids()
            .ShouldNotContain("replica-stale");
        await Replica.DelayReplayAsync(TimeSpan.Zero, DoctorCluster.Stop);
    }

    [Fact]
    public async Task Two_names_for_one_server_are_not_reported_as_two_primaries()
    {
        var diagnosis =
            await DoctorCluster.ExamineAsync(
            [.. DoctorCluster.Targets(Cluster.Nodes), DoctorCluster.Targets(Primary)[0] with { Name = "balancer" }]);
        diagnosis.Only("same-server").Nodes.ShouldBe(["pg-1", "balancer"]);
        diagnosis.Ids().ShouldNotContain("two-primaries");
    }

    [Fact]
    public async Task Unlogged_tables_are_named()
    {
        await Primary.RunAsync("CREATE UNLOGGED TABLE carts ()");
        (await DoctorCluster.ExamineAsync(Cluster)).Only("unlogged-tables").Evidence.ShouldBe(["pg-1: public.carts"]);
        await Primary.RunAsync("DROP TABLE carts");
    }

    [Fact]
    public async Task An_idle_transaction_is_found_with_its_process()
    {
        await using var connection = await Replica.OpenAsync("Application Name=forgotten");
        await using (var begin = new NpgsqlCommand("BEGIN; SELECT 1", connection)) await begin.ExecuteNonQueryAsync(DoctorCluster.Stop);
        (await DoctorCluster.ExamineAsync(Cluster)).Ids().ShouldNotContain("idle-in-transaction");

        var finding = (await DoctorCluster.ExamineAsync(Cluster, new DoctorBounds { MaxIdleTransaction = TimeSpan.Zero }))
            .Only("idle-in-transaction");
        finding.Evidence.ShouldHaveSingleItem().ShouldContain("\"forgotten\"");
        finding.Remedy[0].ShouldBe($"SELECT pg_terminate_backend({connection.ProcessID});   -- on pg-2");
    }

    [Fact]
    public async Task A_read_that_replay_cancelled_is_found()
    {
        await Primary.RunAsync("CREATE TABLE conflicted ()");
        await Cluster.WaitForReplayAsync(DoctorCluster.Stop);
        await using var impatient = await Replica.SetAsync("max_standby_streaming_delay", "0");
        await using var feedback = await Replica.SetAsync("hot_standby_feedback", "off");
        await using var connection = await Replica.OpenAsync();
        await using (var begin =
            new NpgsqlCommand("BEGIN; SELECT FROM conflicted", connection)) await begin.ExecuteNonQueryAsync(DoctorCluster.Stop);
        await Primary.RunAsync("DROP TABLE conflicted");

        var finding = await DoctorCluster.Targets(Cluster.Nodes).WaitForFindingAsync("recovery-conflicts", Severity.Warning);
        finding.Evidence.ShouldHaveSingleItem().ShouldContain("locks 1");
        await connection.DisposeAsync();
        await Replica.RunAsync("SELECT pg_stat_reset()");
        await DoctorCluster.UntilAsync(async () => !(await DoctorCluster.ExamineAsync(Cluster)).Ids().Contains("recovery-conflicts"));
    }

    [Fact]
    public async Task A_replica_without_a_slot_and_its_unused_slot_are_found()
    {
        await using (await Replica.SetAsync("primary_slot_name", "''"))
        {
            var inactive = await DoctorCluster.Targets(Cluster.Nodes).WaitForFindingAsync("slot-inactive", Severity.Warning);
            inactive.Evidence.ShouldHaveSingleItem().ShouldContain("slot pg_2 (physical), inactive, wal_status reserved");
            inactive.Remedy.ShouldContain("SELECT pg_drop_replication_slot('pg_2');");
            var without = await DoctorCluster.Targets(Cluster.Nodes).WaitForFindingAsync("replica-without-slot", Severity.Notice);
            without.Nodes.ShouldBe(["pg-2"]);

            await using var keep = await Primary.SetAsync("wal_keep_size", "0");
            (await DoctorCluster.ExamineAsync(Cluster)).Only("replica-without-slot").Severity.ShouldBe(Severity.Warning);
        }

        await DoctorCluster.UntilAsync(async () => !(await DoctorCluster.ExamineAsync(Cluster)).Ids().Contains("slot-inactive"));
    }

    [Fact]
    public async Task Trust_beyond_loopback_and_a_wrong_password_are_found_without_printing_it()
    {
        await Primary.RunAsync("CREATE ROLE guarded LOGIN PASSWORD 'correct-horse'");
        var rules = Path.Combine(Primary.DataDirectory, "pg_hba.conf");
        var before = await File.ReadAllTextAsync(rules, DoctorCluster.Stop);
        try
        {
            await File.WriteAllTextAsync(rules, "host all guarded 127.0.0.1/32 scram-sha-256\nhost store all 10.0.0.0/8 trust\n"
                + before, DoctorCluster.Stop);
            await Primary.ReloadAsync(async () =>
                (long)(await Primary.RunAsync("SELECT count(*) FROM pg_hba_file_rules WHERE 'guarded' = ANY (user_name)"))! == 1);
            (await DoctorCluster.ExamineAsync(Cluster)).Only("trust-beyond-loopback")
                .Evidence.ShouldBe(["pg-1: pg_hba.conf line 2: host store all 10.0.0.0 255.0.0.0 trust"]);

            var target = DoctorCluster.Targets(Primary)[0];
            var wrong =
                target with { Settings =
                new NpgsqlConnectionStringBuilder(target.Settings.ConnectionString) { Username = "guarded", Password = "battery-staple" } };
            var finding = (await DoctorCluster.ExamineAsync([.. DoctorCluster.Targets(Replica), wrong])).Only("node-unreachable");
            finding.Evidence.ShouldBe([$"pg-1: 127.0.0.1:{Primary.Port} rejects the password of role guarded"]);

            var none = target with { Settings =
                new NpgsqlConnectionStringBuilder(target.Settings.ConnectionString) { Username = "guarded" } };
            (await DoctorCluster.ExamineAsync([none])).Only("node-unreachable")
                .Evidence[0].ShouldContain("requires a password for role guarded");
        }
        finally
        {
            await File.WriteAllTextAsync(rules, before, DoctorCluster.Stop);
            await Primary.RunAsync("DROP ROLE guarded");
            await Primary.RunAsync("SELECT pg_reload_conf()");
        }
    }

    [Fact]
    public async Task A_role_without_privileges_gets_the_list_of_unmade_checks()
    {
        await Primary.RunAsync("CREATE ROLE modest LOGIN");
        await Cluster.WaitForReplayAsync(DoctorCluster.Stop);
        try
        {
            var diagnosis = await DoctorCluster.ExamineAsync(AsRole("modest"));
            var hidden = diagnosis.Only("timeline-hidden");
            (hidden.Severity, hidden.Remedy.ShouldHaveSingleItem()).ShouldBe((Severity.Error, "GRANT pg_read_all_stats TO modest;"));
            diagnosis.Only("role-sees-too-little")
                .Evidence[0].ShouldBe("pg-1: role modest cannot read pg_hba_file_rules, pg_stat_activity, pg_stat_replication, "
                + "pg_stat_wal_receiver");
            foreach (var check in new[] { "receiver-not-streaming", "old-timeline", "trust-beyond-loopback", "idle-in-transaction" })
                diagnosis.NotChecked.ShouldContain(one => one.Node == "pg-2" && one.Check == check);
            diagnosis.NotChecked.ShouldContain(one => one.Check == "synchronous-standby-missing" && one.Node == "pg-1"
                && one.Because == "role modest does not have the privileges of pg_read_all_stats");

            await Primary.RunAsync("GRANT pg_monitor TO modest; GRANT SELECT ON pg_hba_file_rules TO modest; GRANT EXECUTE ON FUNCTION "
                + "pg_hba_file_rules() TO modest");
            await Cluster.WaitForReplayAsync(DoctorCluster.Stop);
            var granted = await DoctorCluster.ExamineAsync(AsRole("modest"));
            granted.NotChecked.ShouldBeEmpty();
            granted.Ids().ShouldBe(["fsync-off"]);
        }
        finally
        {
            await Primary.RunAsync("DROP OWNED BY modest; DROP ROLE modest");
        }
    }

    [Fact]
    public async Task A_query_blocked_by_a_lock_is_reported_and_the_others_still_run()
    {
        await using var connection = await Primary.OpenAsync();
        await using (var locking =
            new NpgsqlCommand("BEGIN; LOCK TABLE pg_extension IN ACCESS EXCLUSIVE MODE", connection)) await locking.ExecuteNonQueryAsync(
            DoctorCluster.Stop);
        var diagnosis = await DoctorCluster.ExamineAsync(Cluster, new DoctorBounds { LockTimeout = TimeSpan.FromMilliseconds(100) });
        diagnosis.NotChecked.Where(one => one.Node == "pg-1").Select(one => (one.Check, one.Because))
            .ShouldBe([("extension-unavailable", "55P03: canceling statement due to lock timeout"),
                ("extensions-differ", "55P03: canceling statement due to lock timeout")]);
        diagnosis.Ids().ShouldBe(["fsync-off"]);
    }

    [Fact]
    public async Task The_finding_for_a_hidden_identity_has_the_missing_grant()
    {
        await Primary.RunAsync("CREATE ROLE blind LOGIN; REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public");
        await Cluster.WaitForReplayAsync(DoctorCluster.Stop);
        try
        {
            var finding = (await DoctorCluster.ExamineAsync(AsRole("blind"))).Only("identity-hidden");
            finding.Nodes.ShouldBe(["pg-1", "pg-2", "pg-3"]);
            finding.Remedy.ShouldBe(["GRANT EXECUTE ON FUNCTION pg_control_system() TO blind;"]);
        }
        finally
        {
            await Primary.RunAsync("GRANT EXECUTE ON FUNCTION pg_control_system() TO public; DROP ROLE blind");
        }
    }

    [Fact]
    public async Task A_missing_database_and_a_missing_role_are_findings_with_their_names()
    {
        var target = DoctorCluster.Targets(Replica)[0].Settings.ConnectionString;
        var diagnosis = await DoctorCluster.ExamineAsync(
        [
            .. DoctorCluster.Targets(Primary),
            new DoctorNode("no-database", new NpgsqlConnectionStringBuilder(target) { Database = "shop" }),
            new DoctorNode("no-role", new NpgsqlConnectionStringBuilder(target) { Username = "missing" }),
        ]);
        diagnosis.Findings.Where(finding => finding.Id == "node-unreachable").Select(finding => finding.Evidence[0])
            .ShouldBe([$"no-database: 127.0.0.1:{Replica.Port} has no database shop",
                $"no-role: 127.0.0.1:{Replica.Port} does not admit role missing: role \"missing\" does not exist"]);
        diagnosis.NotChecked.Select(one => (one.Check, one.Node)).ShouldBe([("all", "no-database"), ("all", "no-role")]);
    }

    private IReadOnlyList<DoctorNode> AsRole(string role) =>
        [.. DoctorCluster.Targets(Cluster.Nodes)
            .Select(node =>
            node with { Settings = new NpgsqlConnectionStringBuilder(node.Settings.ConnectionString) { Username = role } })];

    public sealed class HealthyCluster : IAsyncLifetime
    {
        public LocalCluster Cluster { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Cluster = await LocalCluster.StartAsync(DoctorCluster.Options(), DoctorCluster.Stop);

        public ValueTask DisposeAsync() => Cluster.DisposeAsync();
    }
}
