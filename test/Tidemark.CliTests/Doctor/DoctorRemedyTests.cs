using Tidemark.Cli.Doctor;
using static Tidemark.DoctorFacts;

namespace Tidemark;

/// <summary>Remedies do not make anything worse if they are applied literally.</summary>
public sealed class DoctorRemedyTests
{
    [Theory]
    [InlineData(20, 20, 40)]
    [InlineData(2, 2, 10)]
    [InlineData(1, 0, 10)]
    public void The_remedy_never_lowers_max_wal_senders_and_starts_with_the_standbys(int most, int used, int expected)
    {
        var senders = Enumerable.Range(0, used).Select(i => new Sender(100 + i, "pg_receivewal", null, "streaming", "async"))
            .Append(Primary.Senders![0]).Take(Math.Max(1, used)).ToList();
        var remedy = Diagnose(Primary.With("max_wal_senders", $"{most}") with { Senders = senders }, Replica.With("max_wal_senders", "50"))
            .Only("too-few-wal-senders").Remedy;
        remedy[0].ShouldBe($"ALTER SYSTEM SET max_wal_senders = {expected};   -- on every standby with a lower value, and on pg-1");
        remedy[1].ShouldStartWith("Restart the standbys first, then pg-1.");
    }

    [Fact]
    public void The_remedy_for_low_standby_settings_names_only_the_settings_that_are_low()
    {
        var (few, many) =
            (Replica.With("max_connections", "50"), Replica.With("max_connections", "500")
            .With("max_wal_senders", "5") with { Name = "pg-3", Server = Replica.Server! with { StartedAt = "100.000003" } });
        Diagnose(Primary, few, many).Only("below-primary").Remedy[..2]
            .ShouldBe(["ALTER SYSTEM SET max_connections = 100;   -- on pg-2", "ALTER SYSTEM SET max_wal_senders = 10;   -- on pg-3"]);
    }

    [Fact]
    public void More_connections_begin_with_the_standbys()
    {
        Diagnose(Primary with { PoolSize = 49 }, Replica).Only("pool-exceeds-connections")
            .Remedy[0].ShouldContain("raise max_connections, on the standbys first");
        Diagnose(Primary with { Server = Primary.Server! with { Connections = 90 } }, Replica).Only("connections-nearly-used")
            .Remedy[^1].ShouldContain("raise max_connections, on the standbys first");
    }

    [Theory]
    [InlineData("-1", "extended", 0, "slot-without-limit", 64)]
    [InlineData("-1", "extended", 100, "slot-without-limit", 200)]
    [InlineData("204800", "unreserved", 201, "slot-unreserved", 402)]
    [InlineData("204800", "unreserved", 150, "slot-unreserved", 400)]
    [InlineData("1", "unreserved", 0, "slot-unreserved", 1)]
    public void A_suggested_slot_limit_covers_the_kept_WAL_and_is_never_lower_than_before(string limitMegabytes, string status,
        long keptGigabytes, string id, int expectedGigabytes)
    {
        var slots =
            new[] { Primary.Slots![0], Primary.Slots[0] with { Name = "pg_3", WalStatus = status, Retained = keptGigabytes << 30 } };
        var remedy = Diagnose(Primary.With("max_slot_wal_keep_size", limitMegabytes) with { Slots = slots }, Replica).Only(id).Remedy;
        remedy.ShouldContain($"ALTER SYSTEM SET max_slot_wal_keep_size = '{expectedGigabytes}GB';");
    }

    [Fact]
    public void An_unlimited_or_unknown_slot_limit_is_not_changed_by_the_remedy()
    {
        var atRisk = Primary with { Slots = [Primary.Slots![0] with { WalStatus = "unreserved", Retained = 1 }] };
        Diagnose(atRisk.With("max_slot_wal_keep_size", "-1"), Replica).Only("slot-unreserved")
            .Remedy.ShouldBe(["Start its reader now."]);
        Diagnose(atRisk with { Settings = null }, Replica).Only("slot-unreserved").Remedy.ShouldBe(["Start its reader now."]);
    }

    [Fact]
    public void Remedies_for_logical_slots_protect_unread_changes_and_need_no_base_backup()
    {
        var (physical, logical) =
            (new Slot("away", "physical", Active: false, null, "reserved", 5),
            new Slot("changes", "logical", Active: false, null, "reserved", 5));
        Remedy("slot-inactive", physical).ShouldBe(["Start the standby that uses the slot, or drop the slot:", "SELECT "
            + "pg_drop_replication_slot('away');"]);
        var back = Remedy("slot-inactive", logical);
        back[0].ShouldContain("misses all changes that it has not read. Only if the reader is permanently gone:");
        back[1].ShouldBe("SELECT pg_drop_replication_slot('changes');");
        Remedy("slot-inactive", physical, logical).ShouldBe([.. Remedy("slot-inactive", physical), .. back]);

        Remedy("slot-lost", physical with { WalStatus = "lost" })
            .ShouldContain(line => line.StartsWith("Rebuild the standby: pg_basebackup", StringComparison.Ordinal));
        var recreate = Remedy("slot-lost", logical with { WalStatus = "lost" });
        recreate[0].ShouldContain("DROP SUBSCRIPTION (also drops the slot), TRUNCATE the subscribed tables, CREATE SUBSCRIPTION");
        recreate.ShouldNotContain(line => line.Contains("pg_basebackup", StringComparison.Ordinal));
        recreate.ShouldContain("SELECT pg_drop_replication_slot('changes');");

        static IReadOnlyList<string> Remedy(string id, params Slot[] slots) =>
            Diagnose(Primary with { Slots = [Primary.Slots![0], .. slots] }, Replica).Only(id).Remedy;
    }

    [Fact]
    public void Without_a_streaming_standby_the_remedy_disables_synchronous_replication()
    {
        var missing = Primary.With("synchronous_standby_names", "ghost");
        Remedy("synchronous-standby-missing", missing).ShouldContain("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)';");
        foreach (var senders in new Sender[][] { [], [new(9, "pg_receivewal", null, "streaming", "async")],
            [new(9, "pg-2", null, "catchup", "async")] })
            Remedy("synchronous-standby-missing", missing with { Senders = senders })
                .ShouldContain("ALTER SYSTEM SET synchronous_standby_names = '';");

        Remedy("synchronous-without-standby", Primary.With("synchronous_commit", "remote_apply"))[0].ShouldContain("Without one, "
            + "every commit hangs");

        static IReadOnlyList<string> Remedy(string id, NodeFacts primary) => Diagnose(primary, Replica).Only(id).Remedy;
    }

    [Theory]
    [InlineData("30000", "off", "60s")]
    [InlineData("300000", "on", "600s")]
    [InlineData("0", "on", "30s")]
    [InlineData("-1", "off", null)]
    [InlineData("-1", "on", null)]
    public void The_remedy_for_cancelled_reads_never_shortens_the_standby_delay(string delay, string feedback, string? expected)
    {
        var replica = Replica.With("max_standby_streaming_delay", delay)
            .With("hot_standby_feedback", feedback) with { Conflicts = new Conflicts(1, 0, 0, 0, 0) };
        var remedy = Diagnose(Primary, replica).Only("recovery-conflicts").Remedy;
        var delays = remedy.Where(line => line.Contains("max_standby_streaming_delay", StringComparison.Ordinal)).ToList();
        if (expected is null) delays.ShouldBeEmpty();
        else delays.ShouldHaveSingleItem().ShouldStartWith($"ALTER SYSTEM SET max_standby_streaming_delay = '{expected}';   -- on pg-2:");
        remedy.Any(line => line.Contains("hot_standby_feedback = on", StringComparison.Ordinal)).ShouldBe(feedback == "off");
        remedy.Contains("SELECT pg_reload_conf();").ShouldBe(remedy.Any(line => line.StartsWith("ALTER SYSTEM", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_remedy_for_pg_rewind_names_the_node_that_lacks_the_setting()
    {
        string[] pages = ["ALTER SYSTEM SET full_page_writes = on;   -- on pg-1", "SELECT pg_reload_conf();"];
        string[] hints = ["ALTER SYSTEM SET wal_log_hints = on;   -- on pg-2", "Restart the server."];
        var (torn, silent) = (Primary.With("full_page_writes", "off"), Replica.With("wal_log_hints", "off"));
        Diagnose(torn, Replica).Only("cannot-rewind").Remedy.ShouldBe(pages);
        Diagnose(Primary, silent).Only("cannot-rewind").Remedy.ShouldBe(hints);
        Diagnose(torn, silent).Only("cannot-rewind").Remedy.ShouldBe([.. pages, .. hints]);
    }

    [Fact]
    public void The_remedy_for_an_old_timeline_keeps_user_and_encryption()
    {
        var remedy =
            Diagnose(Primary with { Address = "host=10.0.0.1 port=5433", Position = Primary.Position! with { Timeline = 2 } }, Replica)
            .Only("old-timeline").Remedy;
        remedy[1].ShouldStartWith("Change host and port in it to the address at which the replica reaches pg-1 (from this machine: "
            + "host=10.0.0.1 port=5433)");
        remedy[1].ShouldContain("keep the rest (user, password, sslmode …)");
        remedy.ShouldNotContain(line => line.StartsWith("ALTER SYSTEM", StringComparison.Ordinal));
    }

    [Fact]
    public void Missing_or_different_extension_files_are_reported_for_the_affected_node_only()
    {
        var (old, current) =
            (new Extension("hstore", "1.3", IsAvailable: true, IsInstallable: false),
            new Extension("hstore", "1.3", IsAvailable: true, IsInstallable: true));
        Diagnose(Has(Primary, old), Has(Replica, old)).Findings.ShouldBeEmpty();
        Diagnose(Has(Primary, old), Has(Replica, current)).Findings.ShouldBeEmpty();
        Diagnose(Has(Primary, current), Has(Replica, old)).Only("extension-unavailable").Severity.ShouldBe(Severity.Warning);
        Diagnose(Has(Primary, current), Has(Replica, old with { IsAvailable = false })).Only("extension-unavailable")
            .Severity.ShouldBe(Severity.Error);
        Diagnose(Has(Primary, old with { IsAvailable = false }), Has(Replica, old)).Only("extension-unavailable").Nodes.ShouldBe(["pg-1"]);

        static NodeFacts Has(NodeFacts node, Extension extension) => node with { Extensions = [extension] };
    }
}
