using System.Collections.Immutable;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Settings without which there is no replication.</summary>
internal static class ReplicationSettingChecks
{
    // A standby with less of these than its primary cannot replay.
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
        "Its WAL holds too little for a standby: nothing can stream from it.", Check.SetAndRestart("wal_level", "replica"));

    private static IEnumerable<Finding> TooFewWalSenders(ClusterFacts cluster)
    {
        if (!cluster.IsReplicated || cluster.Primary is not { } primary || primary.Number("max_wal_senders") is not { } most) return [];
        var others = cluster.Nodes.Length - 1;
        var used = primary.Senders?.Count ?? 0;
        if (most > Math.Max(others, used)) return [];
        return Check.Where(
            [primary], _ => $"max_wal_senders = {most}, {used} in use, {others} other {(others == 1 ? "node" : "nodes")}", most < others
                ? Severity.Error : Severity.Warning,
            most < others ? "Not every replica can stream." : "None is left for a base backup or one more standby, and a replica that "
                + "lost its connection may find none.",
            $"ALTER SYSTEM SET max_wal_senders = {Math.Max(10, 2 * Math.Max(most, others + 1))};   -- on every standby that has less, "
                + $"and on {primary.Name}",
            $"Restart the standbys first, and {primary.Name} when they are back: a standby with less than its primary stops replaying, "
                + "and does not start any more.");
    }

    private static IEnumerable<Finding> HotStandbyOff(ClusterFacts cluster) => !cluster.IsReplicated ? [] : Check.Where(
        cluster.Members, node => node.Has("hot_standby", "off") ? "hot_standby = off" : null, Severity.Warning,
        "As a standby it refuses every connection: after a failover the old primary serves no reads.",
            Check.SetAndRestart("hot_standby", "on"));

    private static IEnumerable<Finding> BelowPrimary(ClusterFacts cluster)
    {
        bool IsBelow(NodeFacts replica, string setting) => replica.Number(setting) < cluster.Primary?.Number(setting);
        var hits = AtLeastThePrimarys.Where(setting => cluster.Replicas.Any(replica => IsBelow(replica, setting))).ToList();
        return Check.Where(
            cluster.Replicas, node => string.Join(", ", hits.Where(setting => IsBelow(node, setting))
                .Select(setting =>
                    $"{setting} = {node.Value(setting)}, {cluster.Primary!.Name} has {cluster.Primary.Value(setting)}")) is { Length: > 0 } text ? text : null, Severity.Error,
            "A standby with less room than its primary stops replaying, and does not start any more.",
            [.. hits.Select(setting =>
                $"ALTER SYSTEM SET {setting} = {cluster.Primary!.Value(setting)};   -- on {Check.Names(cluster.Replicas.Where(node => IsBelow(node, setting)))}"), "Restart the server. To raise a setting, begin with the standbys; to lower it, with the primary."]);
    }

    private static IEnumerable<Finding> CannotRewind(ClusterFacts cluster) => !cluster.IsReplicated ? [] : Check.Where(
        cluster.Members, node => HasTornPages(node) || HasSilentHints(node)
            ? $"wal_log_hints = {node.Value("wal_log_hints")}, data_checksums = {node.Value("data_checksums")}, full_page_writes = {node.Value("full_page_writes")}" : null, Severity.Notice,
        "pg_rewind needs the first or the second, and the third: after a failover the old primary cannot be brought back with it, only "
            + "with a whole base backup.",
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
