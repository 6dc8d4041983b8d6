namespace Tidemark;

/// <summary>The reason why a node was rejected for a statement.</summary>
public enum RejectionReason
{
    /// <summary>The node could have served, but another node was picked.</summary>
    NotPicked,

    /// <summary>The node has not responded to a probe yet.</summary>
    NotProbed,

    /// <summary>The node did not respond to its last probe.</summary>
    Unreachable,

    /// <summary>The node belongs to another cluster: its system identifier differs.</summary>
    ForeignCluster,

    /// <summary>The node is Amazon Aurora, whose readers do not replay WAL.</summary>
    Aurora,

    /// <summary>The node reports that it is the primary, and so does another node on the same timeline.</summary>
    RivalPrimary,

    /// <summary>The node reports that it is the primary, but on an earlier timeline than the latest of the cluster.</summary>
    SupersededPrimary,

    /// <summary>The node is a replica, and the statement needs the primary.</summary>
    IsReplica,

    /// <summary>The node is the primary, which serves reads only if no replica can.</summary>
    IsPrimary,

    /// <summary>The node has not replayed the WAL position that the read must include.</summary>
    Behind,

    /// <summary>
    /// The node follows a timeline that does not include the WAL position of the read, or it has replayed WAL that is not part of the
    /// cluster's history.
    /// </summary>
    OtherTimeline,

    /// <summary>The node may lack changes that were committed longer ago than the maximum staleness of the read.</summary>
    TooStale,

    /// <summary>The node may lack what the session has read on another node.</summary>
    ObservedElsewhere,

    /// <summary>The node is in another zone than this process, and a node in the same zone can serve.</summary>
    OtherZone,

    /// <summary>The node failed during this read.</summary>
    FailedDuringRead,

    /// <summary>Another node was requested by name.</summary>
    NotNamed,

    /// <summary>
    /// The node is a replica that has replayed WAL that the primary does not have. Its data has diverged, and it must be rebuilt.
    /// </summary>
    Diverged,
}
