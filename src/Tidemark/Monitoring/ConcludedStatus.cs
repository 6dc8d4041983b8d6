namespace Tidemark;

/// <summary>Where a node stands among the others. Only the first two serve anything.</summary>
internal enum ConcludedStatus
{
    NotProbed,
    Primary,
    Replica,
    Unreachable,

    /// <summary>Its system identifier is not that of the cluster.</summary>
    ForeignCluster,

    /// <summary>It has no streaming replication: its positions mean nothing.</summary>
    Aurora,

    /// <summary>Two nodes claim to be the primary of one timeline: neither is believed.</summary>
    RivalPrimary,

    /// <summary>It claims to be the primary, but history went on without it on a later timeline.</summary>
    SupersededPrimary,

    /// <summary>A replica that has replayed what history went on without: it can never follow the primary again.</summary>
    LeftBehind,

    /// <summary>A replica that has replayed what the primary of its timeline never had.</summary>
    Diverged,
}
