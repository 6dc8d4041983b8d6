namespace Tidemark;

/// <summary>Texts for decisions. Logs, activities, errors and <c>Explain</c> use the same texts.</summary>
internal static class RouteText
{
    public static string Of(RouteReason reason) => reason switch
    {
        RouteReason.AnyReplica => "any replica may serve this read",
        RouteReason.ReplicaHasPosition => "it has replayed what the read must include",
        RouteReason.ReplicaToVerify => "it keeps up, and is verified to have what the read must include before it returns rows",
        RouteReason.ReplicaCaughtUp => "it has caught up with what the read must include while the read waited",
        RouteReason.StaysOnReplica => "it has served the session's reads so far, and still has what they returned",
        RouteReason.PrimaryShare => "the primary takes its share of reads",
        RouteReason.NoReplicaCanServe => "no replica can serve this read",
        RouteReason.WrittenPositionUnknown => "the position of the session's own writes is not known yet",
        RouteReason.ObservedPositionUnknown => "the position of the session's earlier reads is not known",
        RouteReason.StrongConsistency => "strong consistency was requested",
        RouteReason.EntityRule => "the model specifies that an entity in the query reads from the primary",
        RouteReason.NamedNode => "it was requested by name",
        RouteReason.Write => "writes go to the primary",
        RouteReason.Transaction => "a transaction or connection of the caller is open there",
        RouteReason.TrackingQuery => "the query tracks entities",
        RouteReason.Reload => "the query reads the values of a tracked entity again",
        RouteReason.UnknownQuery => "nothing is known about the query, because Tidemark did not see its compilation",
        RouteReason.RawSql => "raw SQL may write",
        RouteReason.RetriedOnPrimary => "a replica could not run the statement, so it was retried on the primary",
        RouteReason.KnownToWrite => "it was sent as a read before, and turned out to write",
        RouteReason.OwnConnection => "it runs on a connection that does not belong to the cluster",
        _ => "no node can run it",
    };

    public static string Of(RejectionReason reason, NodeState node, ClusterSnapshot snapshot, in ReadRequirement requirement) =>
        reason switch
    {
        RejectionReason.NotPicked => "could serve, but another node was picked",
        RejectionReason.NotProbed or RejectionReason.Unreachable or RejectionReason.ForeignCluster or RejectionReason.Aurora
            or RejectionReason.RivalPrimary or RejectionReason.SupersededPrimary or RejectionReason.Diverged =>
                StatusText.Of(node, snapshot),
        RejectionReason.IsReplica => "is a replica",
        RejectionReason.IsPrimary => "is the primary, which serves reads only when no replica can",
        RejectionReason.Behind => $"has replayed {node.Lsn}, {requirement.MustInclude!.Value.Lsn - node.Lsn} bytes short",
        RejectionReason.OtherTimeline when node.Status == ConcludedStatus.LeftBehind => StatusText.Of(node, snapshot),
        RejectionReason.OtherTimeline =>
            $"follows timeline {node.Timeline}, which does not include position {requirement.MustInclude!.Value}",
        RejectionReason.TooStale when node.CompleteAsOf is null =>
            $"may be older than {requirement.MaxStaleness}: it has not reached any position of the primary that this process has observed",
        RejectionReason.TooStale => $"may be older than {requirement.MaxStaleness}",
        RejectionReason.ObservedElsewhere => "may lack what the session has read on another replica",
        RejectionReason.OtherZone => "is in another zone",
        RejectionReason.FailedDuringRead when requirement.IsWrite => "failed a moment ago",
        RejectionReason.FailedDuringRead => "failed during this read",
        _ => "was not requested",
    };
}
