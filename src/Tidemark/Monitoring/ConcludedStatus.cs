namespace Tidemark;

/// <summary>
/// The status of a node, concluded by comparing all nodes. Only <see cref="Primary"/> and <see cref="Replica"/> serve queries.
/// </summary>
internal enum ConcludedStatus
{
    NotProbed,
    Primary,
    Replica,
    Unreachable,

    /// <summary>The system identifier of the node differs from that of the cluster.</summary>
    ForeignCluster,

    /// <summary>The node has no streaming replication, so its positions have no meaning.</summary>
    Aurora,

    /// <summary>The node and another one both report that they are the primary of the same timeline. Neither is used.</summary>
    RivalPrimary,

    /// <summary>The node reports that it is the primary, but the cluster has moved to a later timeline without it.</summary>
    SupersededPrimary,

    /// <summary>A replica that has replayed WAL that is not part of the cluster's history. It can never follow the primary again.</summary>
    LeftBehind,

    /// <summary>A replica that has replayed WAL that the primary of its timeline never had.</summary>
    Diverged,
}
