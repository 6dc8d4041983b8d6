using System.Collections.Immutable;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Checks the settings that replication requires.</summary>
internal static class ReplicationSettingChecks
{
    // A standby cannot replay if one of these is lower than on the primary.
    private static readonly string[] AtLeastThePrimarys =
        ["max_connections", "max_worker_processes", "max_wal_senders", "max_prepared_transactions", "max_locks_per_transaction"];

    public static ImmutableArray<Check> All { get; } =
    [
        new("wal-level-minimal", Of.All, [Section.Settings], WalLevelMinimal),
        new("too-few-wal-senders", Of.Primary, [Section.Settings], TooFewWalSenders),
        new("hot-standby-off", Of.All, [Section.Settings], HotStandbyOff),
        new("below-primary", Of.Replicas, [Section.Settings], BelowPrimary),
        new("cannot-rewind", Of.All, [Section.Settings], CannotRewind),
    ];

    private static IEnumerable<Finding> WalLevelMinimal(ClusterFacts cluster) => !cluster.IsReplicated ? [] : Check.Where(
        cluster.Members, node => node.Has("wal_level", "minimal") ? "wal_level = minimal" : null, Severity.Error,
        "Its WAL does not contain enough information for a standby, so no standby can stream from "
            + "it.", Check.SetAndRestart("wal_level", "replica"));

    private static IEnumerable<Finding> TooFewWalSenders(ClusterFacts cluster)
    {
        if (!cluster.IsReplicated || cluster.Primary is not { } primary || primary.Number("max_wal_senders") is not { } most) return [];
        var others = cluster.Nodes.Length - 1;
        var used = primary.Senders?.Count ?? 0;
        if (most > Math.Max(others, used)) return [];
        return Check.Where(
            [primary], _ => $"max_wal_senders = {most}, {used} in use, {others} other {(others == 1 ? "node" : "nodes")}", most < others
                ? Severity.Error : Severity.Warning,
            most < others ? "Not every replica can stream." : "No WAL sender is free for a base backup or another standby, and a "
                + "replica that reconnects may not get one.",
            $"ALTER SYSTEM SET max_wal_senders = {Math.Max(10, 2 * Math.Max(most, others + 1))};   -- on every standby with a lower value, "
                + $"and on {primary.Name}",
            $"Restart the standbys first, then {primary.Name}. A standby with a lower value than its primary stops replaying, and does "
                + "not start again.");
    }

    private static IEnumerable<Finding> HotStandbyOff(ClusterFacts cluster) => !cluster.IsReplicated ? [] : Check.Where(
        cluster.Members, node => node.Has("hot_standby", "off") ? "hot_standby = off" : null, Severity.Warning,
        "As a standby it rejects every connection, so the old primary cannot serve reads after a failover.",
            Check.SetAndRestart("hot_standby", "on"));

    private static IEnumerable<Finding> BelowPrimary(ClusterFacts cluster)
    {
        bool IsBelow(NodeFacts replica, string setting) => replica.Number(setting) < cluster.Primary?.Number(setting);
        var hits = AtLeastThePrimarys.Where(setting => cluster.Replicas.Any(replica => IsBelow(replica, setting))).ToList();
        return Check.Where(
            cluster.Replicas, node => string.Join(", ", hits.Where(setting => IsBelow(node, setting))
                .Select(setting =>
                    $"{setting} = {node.Value(setting)}, {cluster.Primary!.Name} has "
                        + $"{cluster.Primary.Value(setting)}")) is { Length: > 0 } text ? text : null, Severity.Error,
            "A standby with a lower value than its primary stops replaying, and does not start again.",
            [.. hits.Select(setting =>
                $"ALTER SYSTEM SET {setting} = {cluster.Primary!.Value(setting)};   -- on "
                    + $"{Check.Names(cluster.Replicas.Where(node => IsBelow(node, setting)))}"), "Restart the server. Raise such a setting "
                    + "on the standbys first, and lower it on the primary first."]);
    }

    private static IEnumerable<Finding> CannotRewind(ClusterFacts cluster) => !cluster.IsReplicated ? [] : Check.Where(
        cluster.Members, node => HasTornPages(node) || HasSilentHints(node)
            ? $"wal_log_hints = {node.Value("wal_log_hints")}, data_checksums = {node.Value("data_checksums")}, full_page_writes = "
                + $"{node.Value("full_page_writes")}" : null, Severity.Notice,
        "pg_rewind needs full_page_writes, and either wal_log_hints or data_checksums. After a failover, the old primary can rejoin only "
            + "with a full base backup.",
        [.. OnThose(HasTornPages, cluster, Check.Set("full_page_writes", "on")),
            .. OnThose(HasSilentHints, cluster, Check.SetAndRestart("wal_log_hints", "on"))]);

    private static bool HasTornPages(NodeFacts node) => node.Has("full_page_writes", "off");

    private static bool HasSilentHints(NodeFacts node) => node.Has("wal_log_hints", "off") && node.Has("data_checksums", "off");

    private static IEnumerable<string> OnThose(Func<NodeFacts, bool> isHit, ClusterFacts cluster, ImmutableArray<string> steps)
    {
        var hits = cluster.Members.Where(isHit).ToList();
        return hits.Count == 0 ? [] : [$"{steps[0]}   -- on {Check.Names(hits)}", .. steps[1..]];
    }
}
