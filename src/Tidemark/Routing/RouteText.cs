namespace Tidemark;

/// <summary>The words for decisions; the same in logs, spans, errors and <c>Explain</c>.</summary>
internal static class RouteText
{
    public static string Of(RouteReason reason) => reason switch
    {
        RouteReason.AnyReplica => "any replica may serve this read",
        RouteReason.ReplicaHasPosition => "it has replayed what the read must include",
        RouteReason.ReplicaToVerify => "it keeps up, and proves that it has what the read must include before its rows are believed",
        RouteReason.ReplicaCaughtUp => "it has caught up with what the read must include while the read waited",
        RouteReason.StaysOnReplica => "it has served the session's reads so far, and still has what they showed",
        RouteReason.PrimaryShare => "the primary takes its share of reads",
        RouteReason.NoReplicaCanServe => "no replica can serve this read",
        RouteReason.WrittenPositionUnknown => "how far the session's own writes reach is not known yet",
        RouteReason.SeenPositionUnknown => "how far the session's reads have shown history is not known",
        RouteReason.StrongConsistency => "strong consistency was asked for",
        RouteReason.EntityRule => "the model says that an entity in the query reads from the primary",
        RouteReason.NamedNode => "it was asked for by name",
        RouteReason.Write => "writes go to the primary",
        RouteReason.Transaction => "a transaction or connection of the caller's is open there",
        RouteReason.TrackingQuery => "the query tracks entities",
        RouteReason.RawSql => "SQL of the caller's own may write",
        RouteReason.RepeatedOnPrimary => "a replica could not run the statement, so it was repeated on the primary",
        RouteReason.KnownToWrite => "it was sent as a read before, and turned out to write",
        RouteReason.OwnConnection => "it runs on a connection that is none of the cluster's, wherever that leads",
        _ => "no node can take it",
    };

    public static string Of(RejectionReason reason, NodeState node, ClusterSnapshot snapshot, in ReadRequirement requirement) => reason switch
    {
        RejectionReason.NotPicked => "could serve, but another was picked",
        RejectionReason.NotProbed => "has not answered a probe yet",
        RejectionReason.Unreachable => $"unreachable: {node.Failure}",
        RejectionReason.ForeignCluster when snapshot.ExpectedIdentifier != 0 && node.SystemIdentifier != snapshot.ExpectedIdentifier =>
            $"has the system identifier {node.SystemIdentifier}, but the setting SystemIdentifier asks for {snapshot.ExpectedIdentifier}. Correct the setting or the node's address",
        RejectionReason.ForeignCluster when node.OtherIdentifier != 0 =>
            $"leads to servers of two clusters: system identifiers {node.SystemIdentifier} and {node.OtherIdentifier} answer to one name. Give each server a name of its own",
        RejectionReason.ForeignCluster when snapshot.RivalIdentifier != 0 =>
            $"has the system identifier {node.SystemIdentifier}; {snapshot.SystemIdentifier} answered first, and then most nodes with {snapshot.RivalIdentifier}. "
            + "Set SystemIdentifier to the right one, remove the other nodes, and restart",
        RejectionReason.ForeignCluster when snapshot.SystemIdentifier == 0 =>
            $"has the system identifier {node.SystemIdentifier}; the nodes differ, so none is trusted. Remove those of other clusters, or set SystemIdentifier",
        RejectionReason.ForeignCluster =>
            $"belongs to another cluster: its system identifier is {node.SystemIdentifier}, the cluster's is {snapshot.SystemIdentifier}",
        RejectionReason.Aurora =>
            "is Amazon Aurora, whose readers share storage and replay no WAL: there are no positions to follow. Remove it, or use Aurora's own endpoints",
        RejectionReason.RivalPrimary =>
            $"claims to be the primary of timeline {node.Timeline}, and so does another node: neither gets writes until one is stopped",
        RejectionReason.SupersededPrimary =>
            $"claims to be the primary of timeline {node.Timeline}, but the cluster went on to timeline {snapshot.LatestTimeline}: it must be rebuilt as a replica",
        RejectionReason.IsReplica => "is a replica",
        RejectionReason.IsPrimary => "is the primary, which serves reads only when no replica can",
        RejectionReason.Behind => $"has replayed {node.Lsn}, {requirement.MustInclude!.Value.Lsn - node.Lsn} bytes short",
        RejectionReason.OtherTimeline when node.Standing == NodeStanding.LeftBehind =>
            $"has replayed {node.Lsn} of timeline {node.Timeline}, which history went on without; it has to be rewound or made anew",
        RejectionReason.OtherTimeline => $"follows timeline {node.Timeline}, which does not lead through position {requirement.MustInclude!.Value}",
        RejectionReason.Diverged =>
            $"has replayed {node.Lsn} of timeline {node.Timeline}, which the primary had not written when it was asked later: its data has diverged. Rebuild it (pg_rewind or a new base backup)",
        RejectionReason.TooStale when node.CompleteAsOf is null => $"may be older than {requirement.MaxStaleness}: it has reached no position of the primary that this process has seen",
        RejectionReason.TooStale => $"may be older than {requirement.MaxStaleness}",
        RejectionReason.SeenElsewhere => "may lack what the session has read on another replica",
        RejectionReason.OtherZone => "stands in another zone",
        RejectionReason.FailedDuringRead when requirement.IsWrite => "failed a moment ago",
        RejectionReason.FailedDuringRead => "failed during this read",
        _ => "was not asked for",
    };
}
