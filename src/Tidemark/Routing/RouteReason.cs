namespace Tidemark;

/// <summary>The reason why a node was chosen for a statement.</summary>
public enum RouteReason
{
    /// <summary>No node can run the statement.</summary>
    None,

    /// <summary>Any replica may serve the read.</summary>
    AnyReplica,

    /// <summary>The replica is known to have replayed what the read must include.</summary>
    ReplicaHasPosition,

    /// <summary>The replica has probably replayed what the read must include. Tidemark verifies this before it returns rows.</summary>
    ReplicaToVerify,

    /// <summary>The replica caught up while the read waited for it (<see cref="TidemarkOptions.ReadWait"/>).</summary>
    ReplicaCaughtUp,

    /// <summary>The replica has served the session's reads so far, so it still has what they returned.</summary>
    StaysOnReplica,

    /// <summary>The primary takes its share of reads (<see cref="TidemarkOptions.PrimaryReadWeight"/>).</summary>
    PrimaryShare,

    /// <summary>The primary, because no replica can serve the read.</summary>
    NoReplicaCanServe,

    /// <summary>The primary, because the WAL position of the session's own writes is not known yet.</summary>
    WrittenPositionUnknown,

    /// <summary>The primary, because the WAL position of the session's earlier reads is not known.</summary>
    ObservedPositionUnknown,

    /// <summary>The primary, because the read requires <see cref="Consistency.Strong"/>.</summary>
    StrongConsistency,

    /// <summary>The primary, because the model specifies it for an entity in the query (<c>ReadsFromPrimary</c>).</summary>
    EntityRule,

    /// <summary>The node was requested by name.</summary>
    NamedNode,

    /// <summary>The primary, for a write or for a connection that was opened without a stated purpose.</summary>
    Write,

    /// <summary>
    /// A transaction or a connection of the caller is open on the node: on the primary, or on the node of a read-only transaction.
    /// </summary>
    Transaction,

    /// <summary>The primary, because the query tracks entities, which are usually modified and saved.</summary>
    TrackingQuery,

    /// <summary>
    /// The query reads the values of a tracked entity again (<c>Reload</c>, <c>GetDatabaseValues</c>), and the next save builds on them.
    /// </summary>
    Reload,

    /// <summary>
    /// Tidemark did not see the compilation of the query, so it may track entities or contain SQL that writes. It is precompiled, or
    /// another extension has replaced <c>IQueryTranslationPreprocessorFactory</c> since.
    /// </summary>
    UnknownQuery,

    /// <summary>The primary, because the query is raw SQL, which may write.</summary>
    RawSql,

    /// <summary>The primary, because a replica reported that the statement writes (25006) or cannot run there.</summary>
    RetriedOnPrimary,

    /// <summary>The primary, because the statement was sent as a read before and turned out to write (25006).</summary>
    KnownToWrite,

    /// <summary>
    /// No node was chosen: the statement runs on a connection that does not belong to the cluster, such as one that the context was given
    /// at run time.
    /// </summary>
    OwnConnection,
}
