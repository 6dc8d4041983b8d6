using System.Collections.Immutable;
using System.Globalization;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Whether replay and the reads of replicas get in each other's way.</summary>
internal static class ConflictChecks
{
    private const string Delay = "max_standby_streaming_delay";
    private const long LeastDelayMs = 30_000;

    public static ImmutableArray<Check> All { get; } =
    [
        new("recovery-conflicts", Of.Replicas, [Section.Conflicts], RecoveryConflicts),
        new("hot-standby-feedback-off", Of.Replicas, [Section.Settings], HotStandbyFeedbackOff),
        new("replay-waits-without-bound", Of.Replicas, [Section.Settings], ReplayWaitsWithoutBound),
    ];

    // The counters never go down by themselves, so they are a warning only where something can still be done about most of them.
    private static IEnumerable<Finding> RecoveryConflicts(ClusterFacts cluster) => Check.Where(
        cluster.Replicas, node => node.Conflicts is { All: > 0 } conflicts ? string.Create(
            CultureInfo.InvariantCulture,
                $"{conflicts.All:N0} reads cancelled since its statistics began (row versions {conflicts.Snapshot:N0}, locks {conflicts.Lock:N0}, buffers {conflicts.Bufferpin:N0}, other {conflicts.Deadlock + conflicts.Tablespace:N0}); hot_standby_feedback = {node.Value("hot_standby_feedback")}, max_standby_streaming_delay = {node.Value("max_standby_streaming_delay")} ms") : null,
        cluster.Replicas.Any(node => node.Conflicts is { All: > 0 } && node.Has("hot_standby_feedback", "off"))
            ? Severity.Warning : Severity.Notice,
        "Reads on the replica fail with 40001. Tidemark runs them elsewhere if no row has been delivered; long reports fail.",
        [.. Patience(cluster), "Run what takes ACCESS EXCLUSIVE locks on the primary (DROP, TRUNCATE, some ALTER TABLE) while few read."]);

    // Only what helps more than what is set: no delay becomes shorter than it is.
    private static IEnumerable<string> Patience(ClusterFacts cluster)
    {
        var hit = cluster.Replicas.Where(node => node.Conflicts is { All: > 0 }).ToList();
        var deaf = hit.Where(node => node.Has("hot_standby_feedback", "off")).ToList();
        var bounded = hit.Where(node => node.Number(Delay) >= 0).ToList();
        if (deaf.Count > 0) yield return $"ALTER SYSTEM SET hot_standby_feedback = on;   -- on {Check.Names(deaf)}, against conflicts "
            + "of row versions, for some bloat on the primary";
        if (bounded.Count > 0)
            yield return $"ALTER SYSTEM SET {Delay} = '{Math.Max(LeastDelayMs, 2 * bounded.Max(node => node.Number(Delay)!.Value)) / 1000}s';   -- on {Check.Names(bounded)}: how long replay waits for a read";
        if (deaf.Count + bounded.Count > 0) yield return "SELECT pg_reload_conf();";
    }

    private static IEnumerable<Finding> HotStandbyFeedbackOff(ClusterFacts cluster) => Check.Where(
        cluster.Replicas, node => node.Has("hot_standby_feedback", "off")
            && node.Number("max_standby_streaming_delay") is >= 0 and var delay && node.Conflicts is not { All: > 0 }
            ? $"hot_standby_feedback = off, max_standby_streaming_delay = {delay} ms" : null, Severity.Notice,
        "A read that takes longer than that is cancelled (40001) when vacuum on the primary removes row versions it may need.",
        Check.Set("hot_standby_feedback", "on"));

    private static IEnumerable<Finding> ReplayWaitsWithoutBound(ClusterFacts cluster) => Check.Where(
        cluster.Replicas, node => node.Number("max_standby_streaming_delay") == -1
            ? "max_standby_streaming_delay = -1" : null, Severity.Warning,
        "One long read holds up replay for as long as it takes: the replica grows old, and after a failover has all of it still to do.",
        Check.Set("max_standby_streaming_delay", "'30s'"));
}
