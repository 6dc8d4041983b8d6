using System.Collections.Immutable;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Checks whether replicas receive WAL.</summary>
internal static class StreamChecks
{
    public static ImmutableArray<Check> All { get; } =
    [
        new("receiver-not-streaming", Of.Replicas, [Section.Receivers], ReceiverNotStreaming),
        new("replica-without-slot", Of.Replicas, [Section.Receivers], ReplicaWithoutSlot),
    ];

    // With restore_command, a standby can replay from an archive alone. It then only lags.
    private static IEnumerable<Finding> ReceiverNotStreaming(ClusterFacts cluster) => Check.Where(
        cluster.Replicas, node => node.Receivers switch
        {
            [] => "pg_stat_wal_receiver is empty",
            [{ Status: not ("streaming" or null) } receiver] => $"WAL receiver status: {receiver.Status}",
            _ => null,
        }, cluster.Replicas.Where(IsCutOff).All(node => node.Value("restore_command") is { Length: > 0 })
            ? Severity.Warning : Severity.Error,
        "The replica receives no WAL: its data becomes stale, and reads that need newer data go to other nodes.",
        "SELECT slot_name, active, wal_status FROM pg_replication_slots;   -- on the primary: the slot must exist and must not be lost",
        "Check the log of the replica. primary_conninfo and primary_slot_name decide where it connects, and pg_hba.conf of the primary "
            + "needs a line for database replication.");

    private static IEnumerable<Finding> ReplicaWithoutSlot(ClusterFacts cluster)
    {
        var keepsWal = cluster.Primary?.Number("wal_keep_size") > 0;
        return Check.Where(
            cluster.Replicas, node => node.Receivers is [{ Status: "streaming", SlotName: null or "" }]
                ? $"streams without a slot; wal_keep_size = {cluster.Primary?.Value("wal_keep_size") ?? "?"} MB" : null,
            keepsWal || cluster.Replicas.All(node => node.Value("restore_command") is { Length: > 0 }) ? Severity.Notice : Severity.Warning,
            "While the replica is down, the primary may remove WAL that it still needs. The replica must then be rebuilt.",
            "SELECT pg_create_physical_replication_slot('SLOT');   -- on the primary", "ALTER SYSTEM SET primary_slot_name = 'SLOT';",
                "SELECT pg_reload_conf();");
    }

    private static bool IsCutOff(NodeFacts node) => node.Receivers is [] or [{ Status: not ("streaming" or null) }];
}
