using Tidemark.Verification;

namespace Tidemark.Cli.Verify;

/// <summary>What <c>tidemark verify</c> found.</summary>
/// <param name="Policy">Who decided where reads went.</param>
/// <param name="Seconds">How long sessions ran.</param>
/// <param name="Sessions">Sessions, one after another or at once.</param>
/// <param name="HandOvers">Sessions that went on where another had left off, by a token.</param>
/// <param name="Reads">Reads that were answered.</param>
/// <param name="Writes">Writes that were sent.</param>
/// <param name="Offload">The share of reads that a replica answered; 0 to 1.</param>
/// <param name="ServedBy">Reads by the node that answered.</param>
/// <param name="Lag">How far behind each replica was.</param>
/// <param name="Violations">Broken promises of each kind.</param>
/// <param name="FailedReads">Reads that were not answered.</param>
/// <param name="FailedWrites">Writes that were refused, or of which nobody said whether they are committed.</param>
/// <param name="LostWritesUnreported">Acknowledged writes that history went on without and that their session was not told of.</param>
/// <param name="DoubleWrites">Writes that were committed more than once.</param>
/// <param name="P50Ms">Half of the reads took no longer.</param>
/// <param name="P99Ms">99 in 100 reads took no longer.</param>
/// <param name="Examples">The first broken promises and failed reads, in words.</param>
internal sealed record VerifyRecord(
    string Policy, double Seconds, int Sessions, int HandOvers, long Reads, long Writes, double Offload, IReadOnlyDictionary<string,
        long> ServedBy, IReadOnlyDictionary<string, LagRecord> Lag,
    ViolationsRecord Violations, long FailedReads, long FailedWrites, long LostWritesUnreported, int DoubleWrites, double P50Ms,
        double P99Ms, IReadOnlyList<string> Examples)
{
    /// <summary>Nodes that served nothing when it began, and were left out.</summary>
    public IReadOnlyList<string> LeftOut { get; init; } = [];

    /// <summary>No promise was broken.</summary>
    public bool IsClean => Violations.Total == 0 && LostWritesUnreported == 0 && DoubleWrites == 0;

    public static VerifyRecord Of(HistoryReport report, IReadOnlyDictionary<string, LagRecord> lag, int doubleWrites) => new(
        report.Router, Math.Round(report.Seconds, 2), report.Sessions, report.HandOvers, report.Reads, report.Writes,
            Math.Round(report.ReadsOnReplicas, 4), report.ReadsByNode, lag,
        ViolationsRecord.Of(report.Verdict), report.FailedReads, report.FailedWrites
            + report.UnknownWrites, report.Verdict.SilentLoss, doubleWrites,
        Math.Round(report.ReadLatency.P50Milliseconds, 3), Math.Round(report.ReadLatency.P99Milliseconds, 3),
            [.. report.Examples, .. report.Failures]);
}
