using NpgsqlTypes;

namespace Tidemark;

/// <summary>The status of a node after its last probe.</summary>
/// <param name="Name">The name in the configuration.</param>
/// <param name="Role">The role that the cluster's nodes together give it.</param>
/// <param name="IsServing">Whether the node belongs to the cluster and answered its last probe.</param>
/// <param name="Timeline">The timeline that the node writes or follows, or 0 if it is unknown.</param>
/// <param name="Lsn">The flush LSN of the primary, or the replay LSN of a replica.</param>
/// <param name="Problem">Why the node serves nothing, or <see langword="null"/> if it serves.</param>
public sealed record NodeStatus(string Name, NodeRole Role, bool IsServing, uint Timeline, NpgsqlLogSequenceNumber Lsn, string? Problem)
{
    /// <summary>
    /// Bytes of WAL that a serving replica has not replayed, compared with the primary's flush LSN of the last probe. <c>0</c> on the
    /// primary. <see langword="null"/> if the node does not serve or the primary is unknown.
    /// </summary>
    public long? LagBytes { get; init; }

    /// <summary>
    /// Maximum staleness of reads on this node: it has everything that was committed longer ago. Measured by the primary's positions and
    /// the clock of this process. Zero on the primary. <see langword="null"/> if the node does not serve, or if it is not known.
    /// </summary>
    public TimeSpan? Staleness { get; init; }

    internal static NodeStatus Of(NodeState node, ClusterSnapshot snapshot, TimeProvider time)
    {
        var isServing = node.Status is ConcludedStatus.Primary or ConcludedStatus.Replica;
        return new NodeStatus(node.Name, node.Role, isServing, node.Timeline, node.Lsn, isServing ? null : StatusText.Of(node, snapshot))
        {
            LagBytes = isServing && snapshot.Primary is { } primary ? Math.Max(0, (long)((ulong)primary.Lsn - (ulong)node.Lsn)) : null,
            Staleness = node.Status switch
            {
                ConcludedStatus.Primary => TimeSpan.Zero,
                ConcludedStatus.Replica when node.CompleteAsOf is { } asOf => time.GetElapsedTime(asOf),
                _ => null,
            },
        };
    }
}
