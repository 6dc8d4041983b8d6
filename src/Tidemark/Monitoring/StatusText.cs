namespace Tidemark;

/// <summary>Explains why a node serves nothing; the same text in logs, spans, errors, <c>Nodes</c> and <c>Explain</c>.</summary>
internal static class StatusText
{
    /// <summary>Returns the explanation; empty for a node that serves.</summary>
    public static string Of(NodeState node, ClusterSnapshot snapshot) => node.Status switch
    {
        ConcludedStatus.NotProbed => "has not answered a probe yet",
        ConcludedStatus.Unreachable => $"unreachable: {node.Failure}",
        ConcludedStatus.ForeignCluster => OfForeignCluster(node, snapshot),
        ConcludedStatus.Aurora =>
            "is Amazon Aurora, whose readers share storage and replay no WAL, so there are no positions to follow. Remove it, or use "
                + "Aurora's own endpoints",
        ConcludedStatus.RivalPrimary =>
            $"reports that it is the primary of timeline {node.Timeline}, and so does another node. Neither gets writes until one is "
                + "stopped",
        ConcludedStatus.SupersededPrimary =>
            $"reports that it is the primary of timeline {node.Timeline}, but the cluster is on timeline {snapshot.LatestTimeline}. Rebuild it as a replica",
        ConcludedStatus.LeftBehind =>
            $"has replayed {node.Lsn} of timeline {node.Timeline}, which the cluster's history does not include. Rewind it (pg_rewind) "
                + "or rebuild it",
        ConcludedStatus.Diverged =>
            $"has replayed {node.Lsn} of timeline {node.Timeline}, which the primary had not written when it was probed later: its data "
                + "has diverged. "
            + "Rebuild it (pg_rewind or a new base backup)",
        _ => "",
    };

    private static string OfForeignCluster(NodeState node, ClusterSnapshot snapshot)
    {
        if (snapshot.ExpectedIdentifier != 0 && node.SystemIdentifier != snapshot.ExpectedIdentifier)
        {
            return $"has the system identifier {node.SystemIdentifier}, but the setting SystemIdentifier asks for {snapshot.ExpectedIdentifier}. "
                + "Correct the setting or the node's address";
        }

        if (node.OtherIdentifier != 0)
        {
            return $"leads to servers of two clusters: system identifiers {node.SystemIdentifier} and {node.OtherIdentifier} answer to "
                + "one name. "
                + "Give each server a name of its own";
        }

        if (snapshot.RivalIdentifier != 0)
        {
            return $"has the system identifier {node.SystemIdentifier}; {snapshot.SystemIdentifier} answered first, and then most nodes "
                + "with "
                + $"{snapshot.RivalIdentifier}. Set SystemIdentifier to the right one, remove the other nodes, and restart";
        }

        return snapshot.SystemIdentifier == 0
            ? $"has the system identifier {node.SystemIdentifier}; the nodes differ, so none is trusted. Remove those of other "
                + "clusters, or set SystemIdentifier"
            : $"belongs to another cluster: its system identifier is {node.SystemIdentifier}, the cluster's is {snapshot.SystemIdentifier}";
    }
}
