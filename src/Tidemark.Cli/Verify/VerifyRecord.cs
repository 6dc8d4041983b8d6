using Tidemark.Verification;

namespace Tidemark.Cli.Verify;

/// <summary>The result of <c>tidemark verify</c>.</summary>
/// <param name="Policy">The policy that routed reads.</param>
/// <param name="Seconds">Run time of the sessions.</param>
/// <param name="Sessions">Number of sessions, sequential and concurrent.</param>
/// <param name="HandOvers">Number of sessions that continued another session with its token.</param>
/// <param name="Reads">Number of reads that succeeded.</param>
/// <param name="Writes">Number of writes that were sent.</param>
/// <param name="Offload">Share of reads that a replica served, 0 to 1.</param>
/// <param name="ServedBy">Number of reads by the node that served them.</param>
/// <param name="Lag">Staleness of each replica.</param>
/// <param name="Violations">Violated guarantees by kind.</param>
/// <param name="FailedReads">Number of reads that failed.</param>
/// <param name="FailedWrites">Number of writes that failed or are in doubt.</param>
/// <param name="LostWritesUnreported">Acknowledged writes that were lost in a failover and not reported to their session.</param>
/// <param name="DoubleWrites">Number of writes that were committed more than once.</param>
/// <param name="P50Ms">Median read latency.</param>
/// <param name="P99Ms">99th percentile of the read latency.</param>
/// <param name="Examples">The first violations and failed reads, as text.</param>
internal sealed record VerifyRecord(
    string Policy, double Seconds, int Sessions, int HandOvers, long Reads, long Writes, double Offload, IReadOnlyDictionary<string,
        long> ServedBy, IReadOnlyDictionary<string, LagRecord> Lag,
    ViolationsRecord Violations, long FailedReads, long FailedWrites, long LostWritesUnreported, int DoubleWrites, double P50Ms,
        double P99Ms, IReadOnlyList<string> Examples)
{
    /// <summary>Nodes that did not serve at the start and were excluded.</summary>
    public IReadOnlyList<string> LeftOut { get; init; } = [];

    /// <summary>Whether no guarantee was violated.</summary>
    public bool IsClean => Violations.Total == 0 && LostWritesUnreported == 0 && DoubleWrites == 0;

    public static VerifyRecord Of(HistoryReport report, IReadOnlyDictionary<string, LagRecord> lag, int doubleWrites) => new(
        report.Router, Math.Round(report.Seconds, 2), report.Sessions, report.HandOvers, report.Reads, report.Writes,
            Math.Round(report.ReadsOnReplicas, 4), report.ReadsByNode, lag,
        ViolationsRecord.Of(report.Verdict), report.FailedReads, report.FailedWrites
            + report.UnknownWrites, report.Verdict.SilentLoss, doubleWrites,
        Math.Round(report.ReadLatency.P50Milliseconds, 3), Math.Round(report.ReadLatency.P99Milliseconds, 3),
            [.. report.Examples, .. report.Failures]);
}
