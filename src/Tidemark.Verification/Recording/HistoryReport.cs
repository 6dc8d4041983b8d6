using System.Globalization;
using System.Text.Json.Serialization;

namespace Tidemark.Verification;

/// <summary>
/// What a <see cref="HistoryWorkload"/> did and what <see cref="HistoryChecker"/> says of it. Serializes to JSON as it is.
/// </summary>
public sealed record HistoryReport
{
    /// <summary>What stood between the sessions and the cluster.</summary>
    public required string Router { get; init; }

    /// <summary>What reads asked for.</summary>
    public required IReadOnlyList<string> Levels { get; init; }

    /// <summary>How long the sessions ran.</summary>
    public required double Seconds { get; init; }

    /// <summary>Whether no promise was broken.</summary>
    public required bool IsClean { get; init; }

    /// <summary>How many violations there are of each kind; kinds without any are left out.</summary>
    public required IReadOnlyDictionary<string, long> Violations { get; init; }

    /// <summary>The first violations in words.</summary>
    public required IReadOnlyList<string> Examples { get; init; }

    /// <summary>Sessions, one after another or at once.</summary>
    public required int Sessions { get; init; }

    /// <summary>Sessions that went on where another had left off.</summary>
    public required int HandOvers { get; init; }

    /// <summary>Reads that were answered, by the node that answered.</summary>
    public required IReadOnlyDictionary<string, long> ReadsByNode { get; init; }

    /// <summary>Reads that were answered.</summary>
    public required long Reads { get; init; }

    /// <summary>The share of them that a replica answered; 0 to 1.</summary>
    public required double ReadsOnReplicas { get; init; }

    /// <summary>Writes that were sent, whatever became of them.</summary>
    public required long Writes { get; init; }

    /// <summary>Reads that were not answered.</summary>
    public required long FailedReads { get; init; }

    /// <summary>Writes that were refused, as all are while there is no primary.</summary>
    public required long FailedWrites { get; init; }

    /// <summary>Writes of which nobody said whether they are committed.</summary>
    public required long UnknownWrites { get; init; }

    /// <summary>The first failures of reads, in words.</summary>
    public required IReadOnlyList<string> Failures { get; init; }

    /// <summary>Acknowledged writes that the final history does not contain.</summary>
    public required int LostWrites { get; init; }

    /// <summary>Losses that sessions were told of.</summary>
    public required int LossesReported { get; init; }

    /// <summary>
    /// Reads on the primary that missed what a replica could already show, which is PostgreSQL's order of visibility and no violation.
    /// </summary>
    public required long VisibilityOrder { get; init; }

    /// <summary>From sending a read to having its answer.</summary>
    public required HistoryLatency ReadLatency { get; init; }

    /// <summary>From sending a write to its acknowledgement.</summary>
    public required HistoryLatency WriteLatency { get; init; }

    /// <summary>The history, to be kept with <see cref="HistoryFile"/> or exported.</summary>
    [JsonIgnore]
    public History History { get; internal init; } = null!;

    /// <summary>The verdict on it.</summary>
    [JsonIgnore]
    public HistoryVerdict Verdict { get; internal init; } = null!;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Router}: {Reads + Writes} operations in {Seconds:0.0} s, {Sessions} sessions, {HandOvers} handed over; {ReadsOnReplicas:P1} of {Reads} reads on replicas ({string.Join(", ", ReadsByNode.Select(n => $"{n.Key} {n.Value}"))}); "
        + $"reads p50 {ReadLatency.P50Milliseconds:0.00} ms, p99 {ReadLatency.P99Milliseconds:0.00} ms; writes p50 {WriteLatency.P50Milliseconds:0.00} ms, p99 {WriteLatency.P99Milliseconds:0.00} ms; "
        + $"{FailedReads} reads failed, {FailedWrites} writes refused, {UnknownWrites} unknown, {LostWrites} lost, {LossesReported} losses reported; "
        + $"violations: {(IsClean ? "none" : string.Join(", ", Violations.Select(v => $"{v.Key} {v.Value}")))}");
}
