namespace Tidemark.Verification;

/// <summary>Which promise was broken.</summary>
public enum ViolationKind
{
    /// <summary>A read shows what no prefix of the WAL shows: a row of a commit, and not that of an earlier one.</summary>
    Prefix,

    /// <summary>A read misses what its session wrote before it.</summary>
    ReadYourWrites,

    /// <summary>A read misses what its session's reads showed before it.</summary>
    MonotonicReads,

    /// <summary>A write stands in the WAL before an earlier one of its session.</summary>
    MonotonicWrites,

    /// <summary>A write stands in the WAL before what its session had read.</summary>
    WritesFollowReads,

    /// <summary>A read misses what was acknowledged longer ago than the bound it asked for.</summary>
    Staleness,

    /// <summary>A write that was reported failed is committed, or was shown.</summary>
    FailedWriteVisible,

    /// <summary>History went on without what a session wrote or saw, and the session was answered without a word about it.</summary>
    SilentLoss,
}
