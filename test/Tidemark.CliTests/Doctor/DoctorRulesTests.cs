using System.Text.RegularExpressions;
using Tidemark.Cli;
using Tidemark.Cli.Doctor;
using static Tidemark.DoctorFacts;

namespace Tidemark;

/// <summary>Tests of the checks alone, on constructed facts.</summary>
public sealed partial class DoctorRulesTests
{
    // For each finding, the change to the healthy pair that causes it.
    private static readonly Dictionary<string, (Severity Severity, NodeFacts Primary, NodeFacts Replica)> Ills = new()
    {
        ["node-unreachable"] = (Severity.Error, Primary, Unreachable("pg-2")),
        ["same-server"] = (Severity.Error, Primary, Replica with { Server = Replica.Server! with { StartedAt = "100.000001" } }),
        ["several-servers"] =
            (Severity.Error, Primary,
            Replica with { Behind = [new NamedServer("100.000002", "7000"), new NamedServer("100.000003", "7000")] }),
        ["other-cluster"] = (Severity.Error, Primary with { Senders = [] }, Replica with { Identity = new IdentityFacts("7001") }),
        ["versions-differ"] = (Severity.Notice, Primary, Replica with { Server = Replica.Server! with { Version = "15.2" } }),
        ["no-primary"] = (Severity.Error, Replica with { Name = "pg-1", Server = Replica.Server! with { StartedAt = "9" } }, Replica),
        ["two-primaries"] = (Severity.Error, Primary, Primary with { Name = "pg-2", Server = Primary.Server! with { StartedAt = "9" } }),
        ["old-timeline"] = (Severity.Error, Primary with { Position = Primary.Position! with { Timeline = 2 } }, Replica),
        ["standby-not-configured"] =
            (Severity.Notice, Primary with { Senders = [.. Primary.Senders!, new Sender(8, "dr", null, "streaming", "async")] }, Replica),
        ["receiver-not-streaming"] = (Severity.Error, Primary with { Senders = [] }, Replica with { Receivers = [] }),
        ["replica-without-slot"] =
            (Severity.Warning, Primary, Replica with { Receivers = [Replica.Receivers![0] with { SlotName = null }] }),
        ["replay-paused"] = (Severity.Warning, Primary, Replica with { Position = Replica.Position! with { Pause = "paused" } }),
        ["replay-delayed"] = (Severity.Warning, Primary, Replica.With("recovery_min_apply_delay", "1")),
        ["replica-stale"] =
            (Severity.Warning, Primary, Replica with { Position = Replica.Position! with { Position = 999_999, LastCommitAt = 969.9 } }),
        ["slot-inactive"] =
            (Severity.Warning,
            Primary with { Slots = [.. Primary.Slots!, new Slot("gone", "logical", Active: false, null, "extended", 5)] }, Replica),
        ["slot-without-limit"] = (Severity.Notice, Primary.With("max_slot_wal_keep_size", "-1"), Replica),
        ["slot-unreserved"] = (Severity.Warning, Primary with { Slots = [Primary.Slots![0] with { WalStatus = "unreserved" }] }, Replica),
        ["slot-lost"] =
            (Severity.Error, Primary with { Slots = [Primary.Slots![0] with { WalStatus = "lost", Retained = null }] }, Replica),
        ["synchronous-without-standby"] = (Severity.Warning, Primary.With("synchronous_commit", "remote_write"), Replica),
        ["synchronous-standby-missing"] = (Severity.Error, Primary.With("synchronous_standby_names", "ghost"), Replica),
        ["asynchronous-commit"] = (Severity.Notice, Primary.With("synchronous_commit", "off"), Replica),
        ["wal-level-minimal"] = (Severity.Error, Primary.With("wal_level", "minimal"), Replica),
        ["too-few-wal-senders"] = (Severity.Warning, Primary.With("max_wal_senders", "1"), Replica.With("max_wal_senders", "1")),
        ["hot-standby-off"] = (Severity.Warning, Primary.With("hot_standby", "off"), Replica),
        ["below-primary"] = (Severity.Error, Primary.With("max_prepared_transactions", "1"), Replica),
        ["cannot-rewind"] = (Severity.Notice, Primary, Replica.With("wal_log_hints", "off")),
        ["fsync-off"] = (Severity.Error, Primary, Replica.With("fsync", "off")),
        ["full-page-writes-off"] = (Severity.Error, Primary.With("full_page_writes", "off"), Replica),
        ["primary-read-only"] = (Severity.Error, Primary.With("default_transaction_read_only", "on"), Replica),
        ["isolation-not-read-committed"] = (Severity.Warning, Primary.With("default_transaction_isolation", "serializable"), Replica),
        ["trust-beyond-loopback"] =
            (Severity.Warning, Primary, Replica with { AccessRules = [new AccessRule(9, "host", "all", "all", "all")] }),
        ["recovery-conflicts"] = (Severity.Notice, Primary, Replica with { Conflicts = new Conflicts(0, 1, 0, 0, 0) }),
        ["hot-standby-feedback-off"] = (Severity.Notice, Primary, Replica.With("hot_standby_feedback", "off")),
        ["replay-waits-without-bound"] = (Severity.Warning, Primary, Replica.With("max_standby_streaming_delay", "-1")),
        ["idle-in-transaction"] =
            (Severity.Warning, Primary, Replica with { IdleTransactions = [new IdleTransaction(5, "app", "report", 301)] }),
        ["prepared-transaction"] =
            (Severity.Warning, Primary with { PreparedTransactions = [new PreparedTransaction("it's", "app", 301)] }, Replica),
        ["pool-exceeds-connections"] = (Severity.Notice, Primary with { PoolSize = 49 }, Replica),
        ["connections-nearly-used"] = (Severity.Warning, Primary, Replica with { Server = Replica.Server! with { Connections = 88 } }),
        ["unlogged-tables"] = (Severity.Notice, Primary with { UnloggedTables = ["public.carts"] }, Replica),
        ["enums-differ"] = (Severity.Warning, Primary, Replica with { Enums = [new EnumType("public.mood", 42, ["sad"])] }),
        ["extensions-differ"] = (Severity.Warning, Primary, Replica with { Extensions = [] }),
        ["extension-unavailable"] =
            (Severity.Error, Primary,
            Replica with { Extensions = [new Extension("plpgsql", "1.0", IsAvailable: false, IsInstallable: false)] }),
        ["identity-hidden"] = (Severity.Error, Primary, Replica with { Identity = null, Unseen = Hidden(Section.Identity, "42501: "
            + "permission denied for function pg_control_system") }),
        ["timeline-hidden"] = (Severity.Error, Primary, Replica with { Server = Replica.Server! with { SeesStatistics = false } }),
        ["positions-hidden"] = (Severity.Error, Primary, Replica with { Position = null, Unseen = Hidden(Section.Position, "42501: "
            + "permission denied for function pg_last_wal_replay_lsn") }),
        ["role-sees-too-little"] =
            (Severity.Notice, Primary, Replica with { AccessRules = null, Unseen = Hidden(Section.AccessRules, "42501: permission "
            + "denied for function pg_hba_file_rules") }),
    };

    public static TheoryData<string> Ids => [.. Check.All.Select(check => check.Id)];

    [Fact]
    public void A_healthy_pair_has_no_finding() => Diagnose(Primary, Replica).Findings.ShouldBeEmpty();

    [Theory]
    [MemberData(nameof(Ids))]
    public void Each_problem_is_found_by_its_check_only(string id)
    {
        var (severity, primary, replica) = Ills[id];
        var diagnosis = Diagnose(primary, replica);
        diagnosis.Ids().ShouldBe(id == "full-page-writes-off" ? [id, "cannot-rewind"] : [id]);
        var finding = diagnosis.Findings[0];
        finding.Severity.ShouldBe(severity);
        finding.Evidence.ShouldNotBeEmpty();
        finding.Consequence.ShouldEndWith(".");
        finding.Remedy.ShouldNotBeEmpty();
        finding.Nodes.ShouldBeSubsetOf(["pg-1", "pg-2"]);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void A_check_without_its_section_finds_nothing_and_is_listed_as_not_checked(string id)
    {
        var check = Check.All.Single(one => one.Id == id);
        foreach (var section in check.Needs)
        {
            var (_, primary, replica) = Ills[id];
            var diagnosis = Diagnose(Blind(primary, section), Blind(replica, section));
            diagnosis.NotChecked.ShouldContain(one => one.Check == id && one.Because == "08006: gone");
            diagnosis.Ids().ShouldNotContain(id, section.ToString());
        }

        check.Needs.Distinct().Count().ShouldBe(check.Needs.Length);
    }

    [Fact]
    public void Ids_are_unique_and_kebab_case()
    {
        Check.All.Select(check => check.Id).ShouldBeUnique();
        Check.All.ShouldAllBe(check => KebabCase().IsMatch(check.Id));
    }

    [Fact]
    public void Each_check_has_a_section_in_the_document_and_vice_versa()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Tidemark.slnx"))) folder = folder.Parent!;
        var document = File.ReadAllLines(Path.Combine(folder.FullName, "docs", "doctor.md"));
        document.Where(line => line.StartsWith("### ", StringComparison.Ordinal)).Select(line => line[4..]).Order(StringComparer.Ordinal)
            .ShouldBe(Check.All.Select(check => check.Id).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_order_of_findings_does_not_depend_on_the_order_of_nodes()
    {
        var (primary, replica) =
            (Primary.With("fsync", "off").With("hot_standby", "off"), Replica.With("hot_standby_feedback", "off")
            .With("recovery_min_apply_delay", "9"));
        string[] expected = ["fsync-off", "hot-standby-off", "replay-delayed", "hot-standby-feedback-off"];
        Diagnose(primary, replica).Findings.Select(finding => finding.Id).ShouldBe(expected);
        Diagnose(replica, primary).Findings.Select(finding => finding.Id).ShouldBe(expected);
    }

    [Fact]
    public void Without_fsync_a_cluster_on_one_machine_gets_only_a_notice()
    {
        var diagnosis = Diagnose(Primary.With("fsync", "off") with { IsLoopback = true }, Replica with { IsLoopback = true });
        diagnosis.Findings.ShouldHaveSingleItem().Severity.ShouldBe(Severity.Notice);
        Diagnose(Primary.With("fsync", "off") with { IsLoopback = true }, Replica).Findings.ShouldHaveSingleItem()
            .Severity.ShouldBe(Severity.Error);
    }

    [Theory]
    [InlineData("FIRST 2 (a, b, c)", 2)]
    [InlineData("any 3 (*)", 3)]
    [InlineData("2 (a, b)", 2)]
    [InlineData("a, b", 1)]
    [InlineData("*", 1)]
    [InlineData("\"2\"", 1)]
    public void The_number_of_required_standbys_is_parsed(string names, int expected) =>
        Tidemark.Cli.Doctor.Checks.SynchronousChecks.Required(names).ShouldBe(expected);

    [Fact]
    public void A_replica_with_little_lag_or_without_new_writes_is_not_stale()
    {
        Diagnose(Primary, Replica with { Position = Replica.Position! with { Position = 999_999, LastCommitAt = 970.1 } })
            .Findings.ShouldBeEmpty();
        Diagnose(Primary, Replica with { Position = Replica.Position! with { LastCommitAt = 1 } }).Findings.ShouldBeEmpty();
        Diagnose(Primary, Replica with { Position = Replica.Position! with { Position = 999_999, LastCommitAt = null } })
            .Findings.ShouldHaveSingleItem().Evidence[0].ShouldContain("unknown");
    }

    [Fact]
    public void A_failover_slot_of_a_standby_is_a_finding_only_if_it_keeps_much_WAL()
    {
        var kept = new Slot("pg_3", "physical", Active: false, null, "reserved", 1 << 20);
        Diagnose(Primary, Replica with { Slots = [kept] }).Findings.ShouldBeEmpty();
        Diagnose(Primary, Replica with { Slots = [kept with { Retained = 2L << 30 }] }).Findings.ShouldHaveSingleItem()
            .Id.ShouldBe("slot-inactive");
    }

    [Fact]
    public void A_sender_belongs_to_a_configured_replica_by_its_slot_or_by_its_name()
    {
        var unnamed = Primary with { Senders = [new Sender(7, "walreceiver", null, "streaming", "async")] };
        Diagnose(unnamed, Replica).Findings.ShouldBeEmpty();
        Diagnose(Primary with { Slots = [] }, Replica with { Receivers = [Replica.Receivers![0] with { SlotName = "elsewhere" }] })
            .Findings.ShouldBeEmpty();
    }

    [Fact]
    public void Server_text_is_printed_without_control_characters_and_remedies_quote_names()
    {
        var diagnosis = Diagnose(
            Primary with { PreparedTransactions = [new PreparedTransaction("it's \e[2J", "app", 301)],
                Server = Primary.Server! with { SeesStatistics = false, Role = "My \"app\"" } }, Replica);
        using var output = new StringWriter();
        new DiagnosisReport(new Terminal(output, output)).Write(diagnosis);
        output.ToString().ShouldContain("> ROLLBACK PREPARED 'it''s ?[2J';");
        output.ToString().ShouldContain("> GRANT pg_read_all_stats TO \"My \"\"app\"\"\";");
        output.ToString().ShouldNotContain('\e');
    }

    private static NodeFacts Unreachable(string name) =>
        new() { Name = name, Failure = new ConnectionFailure("connection refused: no server listens on pg-2:5432", "Start the server.") };

    private static Dictionary<Section, string> Hidden(Section section, string because) => new() { [section] = because };

    private static NodeFacts Blind(NodeFacts node, Section section)
    {
        var blind = section switch
        {
            Section.Server => node with { Server = null },
            Section.Identity => node with { Identity = null },
            Section.Position => node with { Position = null },
            Section.Settings => node with { Settings = null },
            Section.Senders => node with { Senders = null },
            Section.Slots => node with { Slots = null },
            Section.Receivers => node with { Receivers = null },
            Section.Conflicts => node with { Conflicts = null },
            Section.IdleTransactions => node with { IdleTransactions = null },
            Section.PreparedTransactions => node with { PreparedTransactions = null },
            Section.AccessRules => node with { AccessRules = null },
            Section.Enums => node with { Enums = null },
            Section.Extensions => node with { Extensions = null },
            _ => node with { UnloggedTables = null },
        };
        return blind with { Unseen = Hidden(section, "08006: gone") };
    }

    [GeneratedRegex("^[a-z]+(-[a-z]+)+$")]
    private static partial Regex KebabCase();
}
