using System.Globalization;
using System.Text.Json.Serialization;

namespace Tidemark.Verification;

/// <summary>
/// The result of a <see cref="HistoryWorkload"/>: its operations and the verdict of <see cref="HistoryChecker"/>. It can be serialized to
/// JSON without further settings.
/// </summary>
public sealed record HistoryReport
{
    /// <summary>Name of the router through which the sessions accessed the cluster.</summary>
    public required string Router { get; init; }

    /// <summary>The consistency levels that reads required.</summary>
    public required IReadOnlyList<string> Levels { get; init; }

    /// <summary>Run time of the sessions, in seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>Whether no guarantee was violated.</summary>
    public required bool IsClean { get; init; }

    /// <summary>Number of violations by kind. Kinds without violations are omitted.</summary>
    public required IReadOnlyDictionary<string, long> Violations { get; init; }

    /// <summary>Texts of the first violations.</summary>
    public required IReadOnlyList<string> Examples { get; init; }

    /// <summary>Number of sessions, both consecutive and concurrent.</summary>
    public required int Sessions { get; init; }

    /// <summary>Number of sessions that continued another session.</summary>
    public required int HandOvers { get; init; }

    /// <summary>Number of successful reads by the node that served them.</summary>
    public required IReadOnlyDictionary<string, long> ReadsByNode { get; init; }

    /// <summary>Number of successful reads.</summary>
    public required long Reads { get; init; }

    /// <summary>The share of successful reads that a replica served, from 0 to 1.</summary>
    public required double ReadsOnReplicas { get; init; }

    /// <summary>Number of writes that were sent, regardless of their outcome.</summary>
    public required long Writes { get; init; }

    /// <summary>Number of reads that failed.</summary>
    public required long FailedReads { get; init; }

    /// <summary>Number of writes that were rejected, as all writes are while no primary exists.</summary>
    public required long FailedWrites { get; init; }

    /// <summary>Number of writes whose outcome is unknown to the client.</summary>
    public required long UnknownWrites { get; init; }

    /// <summary>Messages of the first failed reads.</summary>
    public required IReadOnlyList<string> Failures { get; init; }

    /// <summary>Number of acknowledged writes that the final history does not contain.</summary>
    public required int LostWrites { get; init; }

    /// <summary>Number of losses that were reported to sessions.</summary>
    public required int LossesReported { get; init; }

    /// <summary>
    /// Number of reads on the primary that missed a commit which a replica could already show. This follows from PostgreSQL's visibility
    /// order and is not a violation.
    /// </summary>
    public required long VisibilityOrder { get; init; }

    /// <summary>Time from sending a read to receiving its result.</summary>
    public required HistoryLatency ReadLatency { get; init; }

    /// <summary>Time from sending a write to receiving its acknowledgement.</summary>
    public required HistoryLatency WriteLatency { get; init; }

    /// <summary>The history, which can be saved with <see cref="HistoryFile"/> or exported.</summary>
    [JsonIgnore]
    public History History { get; internal init; } = null!;

    /// <summary>The verdict on the history.</summary>
    [JsonIgnore]
    public HistoryVerdict Verdict { get; internal init; } = null!;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Router}: {Reads + Writes} operations in {Seconds:0.0} s, {Sessions} sessions, {HandOvers} handed over; "
        + $"{ReadsOnReplicas:P1} of {Reads} reads on replicas "
        + $"({string.Join(", ", ReadsByNode.Select(n => $"{n.Key} {n.Value}"))}); "
        + $"reads p50 {ReadLatency.P50Milliseconds:0.00} ms, p99 {ReadLatency.P99Milliseconds:0.00} ms; "
        + $"writes p50 {WriteLatency.P50Milliseconds:0.00} ms, p99 {WriteLatency.P99Milliseconds:0.00} ms; "
        + $"{FailedReads} reads failed, {FailedWrites} writes rejected, {UnknownWrites} unknown, {LostWrites} lost, "
        + $"{LossesReported} losses reported; "
        + $"violations: {(IsClean ? "none" : string.Join(", ", Violations.Select(v => $"{v.Key} {v.Value}")))}");
}
