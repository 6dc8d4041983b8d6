using System.Collections.Immutable;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Whether WAL reaches the replicas.</summary>
internal static class StreamChecks
{
    public static ImmutableArray<Check> All { get; } =
    [
        new("receiver-not-streaming", Of.Replicas, [Section.Receivers], ReceiverNotStreaming),
        new("replica-without-slot", Of.Replicas, [Section.Receivers], ReplicaWithoutSlot),
    ];

    // With restore_command a standby may live from an archive alone; then it is merely slow.
    private static IEnumerable<Finding> ReceiverNotStreaming(ClusterFacts cluster) => Check.Where(
        cluster.Replicas, node => node.Receivers switch
        {
            [] => "pg_stat_wal_receiver is empty",
            [{ Status: not ("streaming" or null) } receiver] => $"its receiver is {receiver.Status}",
            _ => null,
        }, cluster.Replicas.Where(IsCutOff).All(node => node.Value("restore_command") is { Length: > 0 })
            ? Severity.Warning : Severity.Error,
        "It gets nothing new: what it shows grows old, and reads that need something newer go elsewhere.",
        "SELECT slot_name, active, wal_status FROM pg_replication_slots;   -- on the primary: the slot must be there, and not be lost",
        "Look into the replica's log; primary_conninfo and primary_slot_name decide where it connects, pg_hba.conf of the primary needs "
            + "a line for database replication.");

    private static IEnumerable<Finding> ReplicaWithoutSlot(ClusterFacts cluster)
    {
        var keepsWal = cluster.Primary?.Number("wal_keep_size") > 0;
        return Check.Where(
            cluster.Replicas, node => node.Receivers is [{ Status: "streaming", SlotName: null or "" }]
                ? $"streams without a slot; wal_keep_size = {cluster.Primary?.Value("wal_keep_size") ?? "?"} MB" : null,
            keepsWal || cluster.Replicas.All(node => node.Value("restore_command") is { Length: > 0 }) ? Severity.Notice : Severity.Warning,
            "While it is away the primary removes WAL that it still needs; then it must be made anew.",
            "SELECT pg_create_physical_replication_slot('SLOT');   -- on the primary", "ALTER SYSTEM SET primary_slot_name = 'SLOT';",
                "SELECT pg_reload_conf();");
    }

    private static bool IsCutOff(NodeFacts node) => node.Receivers is [] or [{ Status: not ("streaming" or null) }];
}
