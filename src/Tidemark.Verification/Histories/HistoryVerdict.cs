using System.Collections.Immutable;

namespace Tidemark.Verification;

/// <summary>The result of <see cref="HistoryChecker"/>.</summary>
public sealed class HistoryVerdict
{
    /// <summary>Maximum number of violations that are listed with their text. Violations beyond it are only counted.</summary>
    public const int MaxViolationsListed = 100;

    private readonly long[] _counts;

    internal HistoryVerdict(long[] counts) => _counts = counts;

    /// <summary>Whether no guarantee was violated. Visibility order on the primary and reported losses are not violations.</summary>
    public bool IsClean => ViolationCount == 0;

    /// <summary>Number of violations of all kinds.</summary>
    public long ViolationCount => _counts.Sum();

    /// <summary>Number of reads that missed a write of their session.</summary>
    public long ReadYourWrites => Count(ViolationKind.ReadYourWrites);

    /// <summary>Number of reads that missed what their session had observed.</summary>
    public long MonotonicReads => Count(ViolationKind.MonotonicReads);

    /// <summary>Number of reads whose rows are not a prefix of history.</summary>
    public long Prefix => Count(ViolationKind.Prefix);

    /// <summary>Number of reads that were staler than their required bound.</summary>
    public long Staleness => Count(ViolationKind.Staleness);

    /// <summary>Number of writes that precede, in the WAL, what their session had written or observed.</summary>
    public long WriteOrder => Count(ViolationKind.MonotonicWrites) + Count(ViolationKind.WritesFollowReads);

    /// <summary>
    /// Number of losses that were not reported: history continued without a write or an observation of a session, and the session was
    /// served without a report. Each loss of each session counts once.
    /// </summary>
    public long SilentLoss => Count(ViolationKind.SilentLoss);

    /// <summary>Number of writes that were reported as failed but are committed or visible.</summary>
    public long FailedWriteVisible => Count(ViolationKind.FailedWriteVisible);

    /// <summary>
    /// Number of reads on a primary that missed a commit which was not acknowledged yet, although replicas could already show it.
    /// PostgreSQL makes commits visible on the primary after writing their WAL record. This is not a violation and is counted separately.
    /// </summary>
    public long VisibilityOrder { get; init; }

    /// <summary>Operation numbers of acknowledged writes that the final timeline does not contain.</summary>
    public ImmutableArray<int> LostWrites { get; init; } = [];

    /// <summary>Number of operations that were checked.</summary>
    public long Operations { get; init; }

    /// <summary>Number of reads that were checked.</summary>
    public long Reads { get; init; }

    /// <summary>The first violations, at most <see cref="MaxViolationsListed"/>.</summary>
    public ImmutableArray<Violation> Violations { get; init; } = [];

    /// <summary>Returns the number of violations of one kind.</summary>
    /// <param name="kind">The kind.</param>
    public long Count(ViolationKind kind) => _counts[(int)kind];
}
