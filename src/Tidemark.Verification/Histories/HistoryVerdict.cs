using System.Collections.Immutable;

namespace Tidemark.Verification;

/// <summary>What <see cref="HistoryChecker"/> found.</summary>
public sealed class HistoryVerdict
{
    /// <summary>How many violations are told in full; the counts go on.</summary>
    public const int MaxViolationsListed = 100;

    private readonly long[] _counts;

    internal HistoryVerdict(long[] counts) => _counts = counts;

    /// <summary>Whether no promise was broken. Visibility order on the primary and reported losses leave a history clean.</summary>
    public bool IsClean => ViolationCount == 0;

    /// <summary>Violations of all kinds.</summary>
    public long ViolationCount => _counts.Sum();

    /// <summary>Reads that missed what their session wrote.</summary>
    public long ReadYourWrites => Count(ViolationKind.ReadYourWrites);

    /// <summary>Reads that missed what their session had seen.</summary>
    public long MonotonicReads => Count(ViolationKind.MonotonicReads);

    /// <summary>Reads that showed no prefix of history.</summary>
    public long Prefix => Count(ViolationKind.Prefix);

    /// <summary>Reads staler than the bound they asked for.</summary>
    public long Staleness => Count(ViolationKind.Staleness);

    /// <summary>Writes that stand before what their session had written or seen.</summary>
    public long WriteOrder => Count(ViolationKind.MonotonicWrites) + Count(ViolationKind.WritesFollowReads);

    /// <summary>
    /// Sessions that were answered without a word after history went on without something of theirs, counted once for each loss.
    /// </summary>
    public long SilentLoss => Count(ViolationKind.SilentLoss);

    /// <summary>Writes that were reported failed and yet are there.</summary>
    public long FailedWriteVisible => Count(ViolationKind.FailedWriteVisible);

    /// <summary>
    /// Reads on a primary that missed a commit which replicas could already show, because it was not acknowledged yet. PostgreSQL makes
    /// commits visible on the primary after their WAL record; this is no violation, and is counted apart.
    /// </summary>
    public long VisibilityOrder { get; init; }

    /// <summary>Acknowledged writes that the final timeline does not contain, by the number of the operation.</summary>
    public ImmutableArray<int> LostWrites { get; init; } = [];

    /// <summary>Operations that were judged.</summary>
    public long Operations { get; init; }

    /// <summary>Reads that were judged.</summary>
    public long Reads { get; init; }

    /// <summary>The first violations, at most <see cref="MaxViolationsListed"/>.</summary>
    public ImmutableArray<Violation> Violations { get; init; } = [];

    /// <summary>How many violations of one kind there are.</summary>
    /// <param name="kind">The kind.</param>
    public long Count(ViolationKind kind) => _counts[(int)kind];
}
