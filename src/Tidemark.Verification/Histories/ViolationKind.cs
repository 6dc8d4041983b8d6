namespace Tidemark.Verification;

/// <summary>The guarantee that was violated.</summary>
public enum ViolationKind
{
    /// <summary>
    /// A read shows a state that is not a prefix of the WAL: it contains a row of a commit but misses a row of an earlier commit.
    /// </summary>
    Prefix,

    /// <summary>A read misses an earlier write of its session.</summary>
    ReadYourWrites,

    /// <summary>A read misses what earlier reads of its session showed.</summary>
    MonotonicReads,

    /// <summary>A write precedes an earlier write of its session in the WAL.</summary>
    MonotonicWrites,

    /// <summary>A write precedes, in the WAL, what its session had read.</summary>
    WritesFollowReads,

    /// <summary>A read misses a commit that was acknowledged longer ago than its staleness bound.</summary>
    Staleness,

    /// <summary>A write that was reported as failed is committed, or was shown.</summary>
    FailedWriteVisible,

    /// <summary>
    /// History continued without something that a session wrote or observed, and the session was served without a report of the loss.
    /// </summary>
    SilentLoss,
}
