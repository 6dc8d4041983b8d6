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

    /// <summary>
    /// No node was chosen: it runs on a connection that is none of the cluster's, such as one that the context was given at run time.
    /// </summary>
    OwnConnection,
}
