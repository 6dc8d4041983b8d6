namespace Tidemark;

/// <summary>An answer of a node whose position is not known.</summary>
/// <param name="Node">The node that answered, in the life it was in.</param>
/// <param name="Timeline">What it followed; zero: it does not show that to this role.</param>
/// <param name="PrimaryEpoch">The primary's life, as this process counts crashes.</param>
/// <param name="OnPrimary">The node was the primary.</param>
/// <param name="Connection">The physical connection that answered first; <see langword="null"/>: unknown.</param>
internal readonly record struct PendingObservation(NodeEpoch Node, uint Timeline, int PrimaryEpoch, bool OnPrimary, object? Connection)
{
    /// <summary>Samples that were started after it resolve it. Given by <see cref="PendingPositions"/>.</summary>
    public long Mark { get; init; }

    /// <summary>
    /// How many connections are open on which the node shows this session more: no sample resolves it before they are closed.
    /// </summary>
    public int UnderWay { get; init; }

    /// <summary>The mark of the last sample that bounds what was shown until then, though more is under way.</summary>
    public long BoundAt { get; init; }

    /// <summary>The node has diverged, and the session was told that what it showed may be lost.</summary>
    public bool IsReportedDiverged { get; init; }

    /// <summary>Both tell of the same life of the same node.</summary>
    public bool IsLike(in PendingObservation other) =>
        Node == other.Node && OnPrimary == other.OnPrimary && Timeline == other.Timeline && PrimaryEpoch == other.PrimaryEpoch;

    /// <summary>
    /// The node has come to the timeline itself, in the life in which it showed this: no server does that without what it had.
    /// </summary>
    public bool HasComeTo(uint timeline, ClusterSnapshot snapshot) =>
        Node.Index >= 0 && snapshot.Nodes[Node.Index] is { Failure: null, HasSeveralServers: false } now && now.Epoch == Node.Epoch
            && now.ProvenTimeline == timeline;
}
