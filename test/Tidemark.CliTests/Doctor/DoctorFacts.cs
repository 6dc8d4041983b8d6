using System.Collections.Immutable;
using Tidemark.Cli.Doctor;

namespace Tidemark;

/// <summary>Facts of a healthy primary and its replica.</summary>
internal static class DoctorFacts
{
    public static NodeFacts Primary { get; } = new()
    {
        Name = "pg-1",
        Server = new ServerFacts(IsInRecovery: false, "15.18", 15, "app", SeesStatistics: true, Connections: 10, "100.000001"),
        Identity = new IdentityFacts("7000"),
        Position = new PositionFacts(1_000_000, 1, null, null, 1000),
        Settings = new Dictionary<string, Setting>
        {
            ["wal_level"] = Is("replica"), ["max_wal_senders"] = Is("10"), ["max_connections"] = Is("100"),
                ["max_prepared_transactions"] = Is("0"), ["superuser_reserved_connections"] = Is("3"),
            ["hot_standby"] = Is("on"), ["hot_standby_feedback"] = Is("on"), ["max_standby_streaming_delay"] = Is("30000"),
                ["max_slot_wal_keep_size"] = Is("1024"), ["wal_keep_size"] = Is("0"),
            ["restore_command"] = Is(""), ["recovery_min_apply_delay"] = Is("0"), ["synchronous_commit"] = Is("on"),
                ["synchronous_standby_names"] = Is(""),
            ["default_transaction_isolation"] = Is("read committed"), ["default_transaction_read_only"] = Is("off"), ["fsync"] = Is("on"),
                ["full_page_writes"] = Is("on"),
            ["wal_log_hints"] = Is("on"), ["data_checksums"] = Is("off"),
        },
        Senders = [new Sender(7, "pg-2", "10.0.0.2/32", "streaming", "async")],
        Slots = [new Slot("pg_2", "physical", Active: true, 7, "reserved", 0)],
        Receivers = [],
        Conflicts = new Conflicts(0, 0, 0, 0, 0),
        IdleTransactions = [],
        PreparedTransactions = [],
        AccessRules = [],
        Enums = [new EnumType("public.mood", 42, ["sad", "glad"])],
        Extensions = [new Extension("plpgsql", "1.0", IsAvailable: true, IsInstallable: true)],
        UnloggedTables = [],
        PoolSize = 40,
    };

    public static NodeFacts Replica { get; } = Primary with
    {
        Name = "pg-2",
        Server = Primary.Server! with { IsInRecovery = true, StartedAt = "100.000002" },
        Position = new PositionFacts(1_000_000, null, "not paused", 999, 1000),
        Senders = [],
        Slots = [],
        Receivers = [new Receiver("streaming", 1, "pg_2", "pg-2", "pg-1", 5432)],
    };

    public static Diagnosis Diagnose(params ImmutableArray<NodeFacts> nodes) => Diagnosis.Of(new ClusterFacts(nodes, new DoctorBounds()));

    public static NodeFacts With(this NodeFacts node, string setting, string value) =>
        node with { Settings = new Dictionary<string, Setting>(node.Settings!) { [setting] = Is(value) } };

    private static Setting Is(string value) => new(value, null, "configuration file");
}
