using System.Collections.Immutable;
using System.Globalization;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Whether replicas keep up.</summary>
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
        "It stands still: what it shows grows old, the WAL piles up, and reads that need something newer go elsewhere.",
        "SELECT pg_wal_replay_resume();");

    private static IEnumerable<Finding> ReplayDelayed(ClusterFacts cluster) => Check.Where(
        cluster.Replicas, node => node.Number("recovery_min_apply_delay") is > 0 and var delay
            ? string.Create(CultureInfo.InvariantCulture, $"recovery_min_apply_delay = {delay} ms") : null, Severity.Warning,
        "Every commit shows up late by as much: a user's reads after a write never find it there, and remote_apply commits wait for it.",
        [.. Check.Set("recovery_min_apply_delay", "0"),
            "Or, if it is there to undo mistakes, leave it out of the nodes that serve reads."]);

    // Both times are the primary's: the replica's last commit carries the time at which the primary made it. No clocks are compared.
    private static IEnumerable<Finding> ReplicaStale(ClusterFacts cluster)
    {
        if (cluster.Primary?.Position is not { Position: { } written } primary) return [];
        return Check.Where(
            cluster.Replicas, node => node.Position is { Position: { } replayed } position && replayed < written
                && !(primary.Clock - position.LastCommitAt <= cluster.Bounds.MaxStaleness.TotalSeconds)
                ? string.Create(CultureInfo.InvariantCulture,
                    $"{written - replayed:N0} bytes behind; its last commit {Age(primary.Clock - position.LastCommitAt)}")
                    : null, Severity.Warning,
            string.Create(CultureInfo.InvariantCulture,
                $"What it shows may be older than the bound of {cluster.Bounds.MaxStaleness.TotalSeconds:0.##} s: reads with a bound "
                + $"pass it over, the other nodes carry its load."),
            "SELECT * FROM pg_stat_replication;   -- on the primary: where sent_lsn stands still it is the network, where replay_lsn "
                + "does it is the replica",
            "Look for long queries on the replica that hold up replay (max_standby_streaming_delay), and for a disk at its limit.");
    }

    private static string Age(double? seconds) =>
        seconds is { } age ? string.Create(CultureInfo.InvariantCulture, $"was made {age:0.0} s before") : "is unknown: it has replayed "
        + "none since it started";
}
