namespace Tidemark;

/// <summary>Why a node did not get a statement.</summary>
public enum RejectionReason
{
    /// <summary>It could have served; another was picked.</summary>
    NotPicked,

    /// <summary>It has not answered a probe yet.</summary>
    NotProbed,

    /// <summary>It did not answer its last probe.</summary>
    Unreachable,

    /// <summary>It belongs to another cluster: its system identifier differs.</summary>
    ForeignCluster,

    /// <summary>It is Amazon Aurora, whose readers replay no WAL.</summary>
    Aurora,

    /// <summary>It claims to be the primary of the same timeline as another node.</summary>
    RivalPrimary,

    /// <summary>It claims to be the primary of an earlier timeline than the cluster's latest.</summary>
    SupersededPrimary,

    /// <summary>It is a replica, and the statement needs the primary.</summary>
    IsReplica,

    /// <summary>It is the primary, which serves reads only when no replica can.</summary>
    IsPrimary,

    /// <summary>It has not replayed what the read must include.</summary>
    Behind,

    /// <summary>It follows another timeline than the place the read must include, or has replayed what history went on without.</summary>
    OtherTimeline,

    /// <summary>It may miss what was committed longer ago than the read allows.</summary>
    TooStale,

    /// <summary>It may lack what the session's reads have shown on another node.</summary>
    SeenElsewhere,

    /// <summary>It is in another zone than this process, and a nearer node can serve.</summary>
    OtherZone,

    /// <summary>It failed during this very read.</summary>
    FailedDuringRead,

    /// <summary>Another node was asked for by name.</summary>
    NotNamed,

    /// <summary>It is a replica that has replayed what the primary never had: its data has diverged, and it has to be rebuilt.</summary>
    Diverged,
}
