namespace Tidemark;

/// <summary>A write that has ended somewhere on a timeline.</summary>
/// <param name="Timeline">The timeline; zero: whichever is current.</param>
/// <param name="Incarnation">The primary's life, as this process counts crashes.</param>
/// <param name="Node">Where it was sent; -1: wherever the primary of the timeline is.</param>
/// <param name="IsInDoubt">Its connection broke during the commit, which the server may or may not finish.</param>
/// <param name="StartedAt">Since when the server had lived.</param>
/// <param name="Backend">The server process that may still commit it; zero: unknown.</param>
internal readonly record struct PendingWrite(uint Timeline, int Incarnation, int Node, bool IsInDoubt, DateTimeOffset StartedAt, int Backend)
{
    /// <summary>Samples that were started after it resolve it. Given by <see cref="PendingPlaces"/>.</summary>
    public long Mark { get; init; }

    /// <summary>
    /// The transaction that was open when the connection was left, in doubt until the primary says it ended; <see langword="null"/>: none.
    /// </summary>
    public string? OpenTransaction { get; init; }

    /// <summary>No sample of the primary tells where it is before this is settled: the server may commit after any.</summary>
    public bool IsOpen(ClusterSnapshot snapshot) => IsInDoubt && !HasEnded(snapshot);

    /// <summary>It may still be committed by a server process of this primary's.</summary>
    public bool IsInDoubtAt(NodeState primary) => IsInDoubt && (Node == primary.Index || (Node < 0 && Timeline == primary.Timeline));

    // A node that had not answered yet when it was written to tells nothing of the life that the write was in.
    private bool HasEnded(ClusterSnapshot snapshot)
    {
        if (Timeline != 0 && snapshot.LatestTimeline != Timeline) return true;
        return StartedAt != default && snapshot.Nodes[Node] is { Standing: NodeStanding.Primary } node && node.StartedAt != StartedAt;
    }
}

/// <summary>An answer of a node whose position is not known.</summary>
/// <param name="Node">The node that answered, in the life it was in.</param>
/// <param name="Timeline">What it followed; zero: it does not show that to this role.</param>
/// <param name="Incarnation">The primary's life, as this process counts crashes.</param>
/// <param name="OnPrimary">The node was the primary.</param>
/// <param name="Connection">The physical connection that answered first; <see langword="null"/>: unknown.</param>
internal readonly record struct PendingSight(NodeEpoch Node, uint Timeline, int Incarnation, bool OnPrimary, object? Connection)
{
    /// <summary>Samples that were started after it resolve it. Given by <see cref="PendingPlaces"/>.</summary>
    public long Mark { get; init; }

    /// <summary>Both tell of the same life of the same node.</summary>
    public bool IsLike(in PendingSight other) =>
        Node == other.Node && OnPrimary == other.OnPrimary && Timeline == other.Timeline && Incarnation == other.Incarnation;

    /// <summary>The node has come to the timeline itself, in the life in which it showed this: no server does that without what it had.</summary>
    public bool HasComeTo(uint timeline, ClusterSnapshot snapshot) =>
        Node.Index >= 0 && snapshot.Nodes[Node.Index] is var now && now.Epoch == Node.Epoch && now.Timeline == timeline && now.Failure is null;
}

/// <summary>A node in one of its lives.</summary>
internal readonly record struct NodeEpoch(int Index, long Epoch);
