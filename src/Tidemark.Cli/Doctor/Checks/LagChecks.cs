using System.Collections.Immutable;
using System.Globalization;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Checks whether replicas keep up with the primary.</summary>
internal static class LagChecks
{
    public static ImmutableArray<Check> All { get; } =
    [
        new("replay-paused", Of.Replicas, [Section.Position], ReplayPaused),
        new("replay-delayed", Of.Replicas, [Section.Settings], ReplayDelayed),
        new("replica-stale", Of.Replicas, [Section.Position], ReplicaStale),
    ];

    private static IEnumerable<Finding> ReplayPaused(ClusterFacts cluster) => Check.Where(
        cluster.Replicas, node => node.Position is { Pause: "paused" or "pause requested" } position
            ? $"pg_get_wal_replay_pause_state() = '{position.Pause}'" : null, Severity.Warning,
        "The replica replays nothing: its data becomes stale, WAL accumulates, and reads that need newer data go to other nodes.",
        "SELECT pg_wal_replay_resume();");

    private static IEnumerable<Finding> ReplayDelayed(ClusterFacts cluster) => Check.Where(
        cluster.Replicas, node => node.Number("recovery_min_apply_delay") is > 0 and var delay
            ? string.Create(CultureInfo.InvariantCulture, $"recovery_min_apply_delay = {delay} ms") : null, Severity.Warning,
        "Every commit becomes visible this much later. Reads after a user's write cannot use the replica, and remote_apply commits wait.",
        [.. Check.Set("recovery_min_apply_delay", "0"),
            "Or, if the replica exists for recovery from mistakes, remove it from the nodes that serve reads."]);

    // Both times are from the clock of the primary, which also sets the commit time. Clocks of different machines are never compared.
    private static IEnumerable<Finding> ReplicaStale(ClusterFacts cluster)
    {
        if (cluster.Primary?.Position is not { Position: { } written } primary) return [];
        return Check.Where(
            cluster.Replicas, node => node.Position is { Position: { } replayed } position && replayed < written
                && !(primary.Clock - position.LastCommitAt <= cluster.Bounds.MaxStaleness.TotalSeconds)
                ? string.Create(CultureInfo.InvariantCulture,
                    $"{written - replayed:N0} bytes behind; last replayed commit {Age(primary.Clock - position.LastCommitAt)}")
                    : null, Severity.Warning,
            string.Create(CultureInfo.InvariantCulture,
                $"Its data may be older than the bound of {cluster.Bounds.MaxStaleness.TotalSeconds:0.##} s. Reads with a staleness bound "
                + $"skip it, and the other nodes carry its load."),
            "SELECT * FROM pg_stat_replication;   -- on the primary: if sent_lsn does not advance, the cause is the network; if only "
                + "replay_lsn does not, it is the replica",
            "Check for long queries on the replica that block replay (max_standby_streaming_delay), and for a saturated disk.");
    }

    private static string Age(double? seconds) =>
        seconds is { } age ? string.Create(CultureInfo.InvariantCulture, $"{age:0.0} s ago") : "unknown: none replayed "
        + "since the server started";
}
