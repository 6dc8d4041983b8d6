namespace Tidemark;

/// <summary>Why a statement went to its node.</summary>
public enum RouteReason
{
    /// <summary>No node could take it.</summary>
    None,

    /// <summary>A read that any replica may serve.</summary>
    AnyReplica,

    /// <summary>A replica that is known to have replayed what the read must include.</summary>
    ReplicaHasPosition,

    /// <summary>A replica that has probably caught up; it proves so before the read's rows are believed.</summary>
    ReplicaToVerify,

    /// <summary>A replica that caught up while the read waited for it (<see cref="TidemarkOptions.ReadWait"/>).</summary>
    ReplicaCaughtUp,

    /// <summary>The replica that has served the session's reads so far: what they showed, it still has.</summary>
    StaysOnReplica,

    /// <summary>The primary takes its share of reads (<see cref="TidemarkOptions.PrimaryReadWeight"/>).</summary>
    PrimaryShare,

    /// <summary>The primary, since no replica can serve the read.</summary>
    NoReplicaCanServe,

    /// <summary>The primary, since it is not known yet how far the session's own writes reach.</summary>
    WrittenPositionUnknown,

    /// <summary>The primary, since it is not known how far the session's reads have shown history.</summary>
    SeenPositionUnknown,

    /// <summary>The primary, by <see cref="Consistency.Strong"/>.</summary>
    StrongConsistency,

    /// <summary>The primary: the model says of an entity in the query that it is read there (<c>ReadsFromPrimary</c>).</summary>
    EntityRule,

    /// <summary>The node that was asked for by name.</summary>
    NamedNode,

    /// <summary>The primary: a write, or a connection opened without saying what for.</summary>
    Write,

    /// <summary>A transaction or a connection of the caller's is open there: the primary, or the node of a read-only transaction.</summary>
    Transaction,

    /// <summary>The primary: the query tracks entities, which is a promise to write them.</summary>
    TrackingQuery,

    /// <summary>The primary: the text is the caller's own, and nobody knows whether it writes.</summary>
    RawSql,

    /// <summary>The primary: a replica answered that the statement writes (25006) or cannot run there.</summary>
    RepeatedOnPrimary,

    /// <summary>The primary: the statement was sent as a read before, and turned out to write (25006).</summary>
    KnownToWrite,

    /// <summary>No node was chosen: it runs on a connection that is none of the cluster's, such as one that the context was given at run time.</summary>
    OwnConnection,
}

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

    /// <summary>It stands in another zone than this process, and a nearer node can serve.</summary>
    OtherZone,

    /// <summary>It failed during this very read.</summary>
    FailedDuringRead,

    /// <summary>Another node was asked for by name.</summary>
    NotNamed,

    /// <summary>It is a replica that has replayed what the primary never had: its data has diverged, and it has to be rebuilt.</summary>
    Diverged,
}
