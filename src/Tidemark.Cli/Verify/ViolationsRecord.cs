using Tidemark.Verification;

namespace Tidemark.Cli.Verify;

/// <summary>Violated guarantees by kind.</summary>
internal sealed record ViolationsRecord(long ReadYourWrites, long MonotonicReads, long Prefix, long Staleness, long MonotonicWrites,
    long WritesFollowReads, long FailedWriteVisible)
{
    public long Total => ReadYourWrites + MonotonicReads + Prefix + Staleness + MonotonicWrites + WritesFollowReads + FailedWriteVisible;

    public static ViolationsRecord Of(HistoryVerdict verdict) => new(
        verdict.Count(ViolationKind.ReadYourWrites), verdict.Count(ViolationKind.MonotonicReads), verdict.Count(ViolationKind.Prefix),
            verdict.Count(ViolationKind.Staleness),
        verdict.Count(ViolationKind.MonotonicWrites), verdict.Count(ViolationKind.WritesFollowReads),
            verdict.Count(ViolationKind.FailedWriteVisible));
}
