using System.Collections.Immutable;
using System.Globalization;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Checks whether slots keep the WAL that is needed, and no more. A remedy never removes WAL that a reader still needs.</summary>
internal static class SlotChecks
{
    private const long Megabyte = 1L << 20;
    private const long Gigabyte = 1L << 30;
    private const long MaxKeptForFailover = Gigabyte;
    private const long UsualLimit = 64 * Gigabyte;

    public static ImmutableArray<Check> All { get; } =
    [
        new("slot-inactive", Of.All, [Section.Slots], SlotInactive),
        new("slot-without-limit", Of.All, [Section.Slots, Section.Settings], SlotWithoutLimit),
        new("slot-unreserved", Of.All, [Section.Slots], SlotUnreserved),
        new("slot-lost", Of.All, [Section.Slots], SlotLost),
    ];

    private static IEnumerable<Finding> SlotInactive(ClusterFacts cluster) => OfSlots(
        cluster, IsForgotten, Severity.Warning,
        "The slot has no reader, and the server keeps WAL for it until the disk is full or max_slot_wal_keep_size is reached.",
        slots => ByReader(
            slots,
            standbys => ["Start the standby that uses the slot, or drop the slot:", .. standbys.Select(Drop)],
            logical =>
            [
                "Start its reader: a subscription or another program that receives changes. Without the slot, the reader misses all "
                    + "changes that it has not read. Only if the reader is permanently gone:", .. logical.Select(Drop),
            ]));

    private static IEnumerable<Finding> SlotWithoutLimit(ClusterFacts cluster)
    {
        var nodes = cluster.Members.Where(node => node.Number("max_slot_wal_keep_size") == -1 && node.Slots is { Count: > 0 }).ToList();
        var isPilingUp = nodes.Any(node => node.Slots!.Any(slot => IsForgotten(node, slot)));
        return Check.Where(
            nodes, node => $"max_slot_wal_keep_size = -1, {node.Slots!.Count} {(node.Slots.Count == 1 ? "slot" : "slots")}", isPilingUp
                ? Severity.Warning : Severity.Notice,
            "If a reader is down, the WAL kept for it can fill the disk of the server. A primary with a full disk stops.",
            [$"Choose a limit that the disk has room for and that is above the WAL kept now (up to {Words.Bytes(MostKept(nodes))}):",
                .. Limit(Math.Max(UsualLimit, 2 * MostKept(nodes)))]);
    }

    private static IEnumerable<Finding> SlotUnreserved(ClusterFacts cluster)
    {
        var nodes = cluster.Members.Where(node => (node.Slots ?? []).Any(IsUnreserved)).ToList();
        var limits = nodes.Select(node => node.Number("max_slot_wal_keep_size") * Megabyte).ToList();
        ImmutableArray<string> room = limits.TrueForAll(limit => limit >= 0)
            ? ["Or raise the limit, if the disk has room:", .. Limit(2 * Math.Max(limits.Max() ?? 0, MostKept(nodes)))] : [];
        return OfSlots(
            cluster, (_, slot) => IsUnreserved(slot), Severity.Warning,
            "The next checkpoint may remove WAL that its reader still needs. A standby must then be rebuilt, and a subscription "
                + "recreated.",
            _ => ["Start its reader now.", .. room]);
    }

    private static IEnumerable<Finding> SlotLost(ClusterFacts cluster) => OfSlots(
        cluster, (_, slot) => slot.WalStatus == "lost", Severity.Error,
        "WAL that its reader needs was removed. The reader can never stream again, and its data stays as it is.",
        slots =>
        [
            .. ByReader(
                slots,
                standbys => [.. standbys.Select(Drop), "Rebuild the standby: pg_basebackup -R -X stream -C -S SLOT -h PRIMARY -D DATA"],
                logical =>
                [
                    "On the subscriber, recreate the subscription: DROP SUBSCRIPTION (also drops the slot), TRUNCATE the subscribed "
                        + "tables, CREATE SUBSCRIPTION (copies them).",
                    "Another program that receives changes needs a new slot and a new copy of the data. First drop the old slot:",
                        .. logical.Select(Drop),
                ]),
            "If the reader was down for an acceptable time, raise max_slot_wal_keep_size.",
        ]);

    // A standby can be rebuilt from the primary at any time. Changes that a logical slot has not yet sent exist nowhere else.
    private static ImmutableArray<string> ByReader(
        IReadOnlyList<Slot> slots, Func<IReadOnlyList<Slot>, ImmutableArray<string>> ofStandbys, Func<IReadOnlyList<Slot>,
            ImmutableArray<string>> ofLogical)
    {
        var readers = slots.ToLookup(slot => slot.Type == "logical");
        return [.. readers[false].Any() ? ofStandbys([.. readers[false]]) : [], .. readers[true].Any()
            ? ofLogical([.. readers[true]]) : []];
    }

    private static string Drop(Slot slot) => $"SELECT pg_drop_replication_slot('{slot.Name}');";

    // On a standby, Patroni keeps slots for a failover and advances them periodically. They are inactive and keep little WAL.
    private static bool IsForgotten(NodeFacts node, Slot slot) =>
        !slot.Active && slot.WalStatus != "lost" && slot.Retained > (node.IsReplica == true ? MaxKeptForFailover : -1);

    private static bool IsUnreserved(Slot slot) => slot.WalStatus == "unreserved";

    private static long MostKept(IEnumerable<NodeFacts> nodes) =>
        nodes.SelectMany(node => node.Slots ?? []).Where(slot => slot.WalStatus != "lost").Max(slot => slot.Retained) ?? 0;

    private static ImmutableArray<string> Limit(long bytes) =>
        Check.Set("max_slot_wal_keep_size", $"'{(bytes + Gigabyte - 1) / Gigabyte}GB'");

    private static IEnumerable<Finding> OfSlots(ClusterFacts cluster, Func<NodeFacts, Slot, bool> isHit, Severity severity,
        string consequence, Func<IReadOnlyList<Slot>, ImmutableArray<string>> remedy)
    {
        var hits = cluster.Members.SelectMany(node => (node.Slots ?? []).Where(slot => isHit(node, slot))
            .Select(slot => (Node: node.Name, Slot: slot))).ToList();
        if (hits.Count == 0) yield break;
        yield return new Finding(
            severity, [.. hits.Select(hit => hit.Node).Distinct()], [.. hits.Select(hit => $"{hit.Node}: {Describe(hit.Slot)}")],
                consequence, remedy([.. hits.Select(hit => hit.Slot).DistinctBy(slot => slot.Name)]));
    }

    private static string Describe(Slot slot) => string.Create(
        CultureInfo.InvariantCulture,
            $"slot {slot.Name} ({slot.Type}), {(slot.Active ? "active" : "inactive")}, wal_status "
                + $"{slot.WalStatus ?? "none"}{(slot.Retained is { } kept ? $", keeps {Math.Max(0, kept):N0} bytes" : "")}");
}
