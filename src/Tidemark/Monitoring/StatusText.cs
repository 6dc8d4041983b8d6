namespace Tidemark;

/// <summary>
/// Describes why a node is excluded from routing. Logs, spans, errors, <c>Nodes</c> and <c>Explain</c> use the same text.
/// </summary>
internal static class StatusText
{
    /// <summary>Returns the description, or an empty string if the node is not excluded.</summary>
    public static string Of(NodeState node, ClusterSnapshot snapshot) => node.Status switch
    {
        ConcludedStatus.NotProbed => "has not responded to a probe yet",
        ConcludedStatus.Unreachable => $"unreachable: {node.Failure}",
        ConcludedStatus.ForeignCluster => OfForeignCluster(node, snapshot),
        ConcludedStatus.Aurora =>
            "is Amazon Aurora, whose readers share storage and replay no WAL, so positions cannot be compared. Remove it, or use "
                + "the endpoints of Aurora",
        ConcludedStatus.RivalPrimary =>
            $"reports that it is the primary of timeline {node.Timeline}, and so does another node. Neither gets writes until one is "
                + "stopped",
        ConcludedStatus.SupersededPrimary =>
            $"reports that it is the primary of timeline {node.Timeline}, but the cluster is on timeline "
                + $"{snapshot.LatestTimeline}. Rebuild it as a replica",
        ConcludedStatus.LeftBehind =>
            $"has replayed {node.Lsn} of timeline {node.Timeline}, which the cluster's history does not include. Rewind it (pg_rewind) "
                + "or rebuild it",
        ConcludedStatus.Diverged =>
            $"has replayed {node.Lsn} of timeline {node.Timeline}, which the primary had not written when it was probed later: its data "
                + "has diverged. Rebuild it (pg_rewind or a new base backup)",
        _ => "",
    };

    private static string OfForeignCluster(NodeState node, ClusterSnapshot snapshot)
    {
        if (snapshot.ExpectedIdentifier != 0 && node.SystemIdentifier != snapshot.ExpectedIdentifier)
        {
            return $"has the system identifier {node.SystemIdentifier}, but the setting SystemIdentifier requires "
                + $"{snapshot.ExpectedIdentifier}. Correct the setting or the node's address";
        }

        if (node.OtherIdentifier != 0)
        {
            return $"resolves to servers of two clusters, with the system identifiers {node.SystemIdentifier} and "
                + $"{node.OtherIdentifier}. Configure each server as a separate node";
        }

        if (snapshot.RivalIdentifier != 0)
        {
            return $"has the system identifier {node.SystemIdentifier}; the first node had {snapshot.SystemIdentifier}, and then most "
                + $"nodes had {snapshot.RivalIdentifier}. Set SystemIdentifier to the correct one, remove the other nodes, and restart";
        }

        return snapshot.SystemIdentifier == 0
            ? $"has the system identifier {node.SystemIdentifier}; the nodes differ, so none of them is used. Remove those of "
                + "other clusters, or set SystemIdentifier"
            : $"belongs to another cluster: its system identifier is {node.SystemIdentifier}, the cluster's is {snapshot.SystemIdentifier}";
    }
}
