using System.Collections.Immutable;
using System.Globalization;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Checks for conflicts between replay and reads on replicas.</summary>
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

    // The counters never decrease. They are a warning only if a setting would still prevent most conflicts.
    private static IEnumerable<Finding> RecoveryConflicts(ClusterFacts cluster) => Check.Where(
        cluster.Replicas, node => node.Conflicts is { All: > 0 } conflicts ? string.Create(
            CultureInfo.InvariantCulture,
                $"{conflicts.All:N0} reads cancelled since the statistics were reset (row versions {conflicts.Snapshot:N0}, locks "
                    + $"{conflicts.Lock:N0}, buffers {conflicts.Bufferpin:N0}, other {conflicts.Deadlock + conflicts.Tablespace:N0}); "
                    + $"hot_standby_feedback = {node.Value("hot_standby_feedback")}, max_standby_streaming_delay = "
                    + $"{node.Value("max_standby_streaming_delay")} ms") : null,
        cluster.Replicas.Any(node => node.Conflicts is { All: > 0 } && node.Has("hot_standby_feedback", "off"))
            ? Severity.Warning : Severity.Notice,
        "Reads on the replica fail with 40001. Tidemark retries them on another node if no row has been returned; long reports fail.",
        [.. Patience(cluster), "Run statements that take ACCESS EXCLUSIVE locks on the primary (DROP, TRUNCATE, some ALTER TABLE) when "
            + "there are few reads."]);

    // Suggests only changes that help: never a delay shorter than the current one.
    private static IEnumerable<string> Patience(ClusterFacts cluster)
    {
        var hit = cluster.Replicas.Where(node => node.Conflicts is { All: > 0 }).ToList();
        var withoutFeedback = hit.Where(node => node.Has("hot_standby_feedback", "off")).ToList();
        var bounded = hit.Where(node => node.Number(Delay) >= 0).ToList();
        if (withoutFeedback.Count > 0) yield return $"ALTER SYSTEM SET hot_standby_feedback = on;   -- on {Check.Names(withoutFeedback)}: "
            + $"prevents row "
            + "version conflicts, at the cost of some bloat on the primary";
        if (bounded.Count > 0)
            yield return $"ALTER SYSTEM SET {Delay} = "
                + $"'{Math.Max(LeastDelayMs, 2 * bounded.Max(node => node.Number(Delay)!.Value)) / 1000}s';   -- on "
                + $"{Check.Names(bounded)}: how long replay waits for a read";
        if (withoutFeedback.Count + bounded.Count > 0) yield return "SELECT pg_reload_conf();";
    }

    private static IEnumerable<Finding> HotStandbyFeedbackOff(ClusterFacts cluster) => Check.Where(
        cluster.Replicas, node => node.Has("hot_standby_feedback", "off")
            && node.Number("max_standby_streaming_delay") is >= 0 and var delay && node.Conflicts is not { All: > 0 }
            ? $"hot_standby_feedback = off, max_standby_streaming_delay = {delay} ms" : null, Severity.Notice,
        "A read that takes longer than this delay is cancelled (40001) if vacuum on the primary removes row versions that it may need.",
        Check.Set("hot_standby_feedback", "on"));

    private static IEnumerable<Finding> ReplayWaitsWithoutBound(ClusterFacts cluster) => Check.Where(
        cluster.Replicas, node => node.Number("max_standby_streaming_delay") == -1
            ? "max_standby_streaming_delay = -1" : null, Severity.Warning,
        "A long read blocks replay until it ends. The replica becomes stale, and a promotion must first replay all the pending WAL.",
        Check.Set("max_standby_streaming_delay", "'30s'"));
}
