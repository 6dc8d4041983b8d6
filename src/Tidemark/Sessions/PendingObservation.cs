namespace Tidemark;

/// <summary>An observation on a node whose WAL position is not known.</summary>
/// <param name="Node">The node and its epoch at the time of the observation.</param>
/// <param name="Timeline">The timeline of the node, or zero if it does not show it to this role.</param>
/// <param name="PrimaryEpoch">The epoch of the primary, as this process counts crashes.</param>
/// <param name="OnPrimary"><see langword="true"/> if the node was the primary.</param>
/// <param name="Connection">The physical connection that responded first, or <see langword="null"/> if unknown.</param>
internal readonly record struct PendingObservation(NodeEpoch Node, uint Timeline, int PrimaryEpoch, bool OnPrimary, object? Connection)
{
    /// <summary>Samples that start after this mark resolve the observation. Assigned by <see cref="PendingPositions"/>.</summary>
    public long Mark { get; init; }

    /// <summary>
    /// The number of open connections on which the node may return more to this session. No sample resolves the observation before they are
    /// closed.
    /// </summary>
    public int UnderWay { get; init; }

    /// <summary>The mark of the last sample that bounds what was observed until then, even if more connections are still open.</summary>
    public long BoundAt { get; init; }

    /// <summary><see langword="true"/> if the node has diverged, and the possible loss has been reported to the session.</summary>
    public bool IsReportedDiverged { get; init; }

    /// <summary>Returns whether both observations are of the same node in the same epoch.</summary>
    public bool IsLike(in PendingObservation other) =>
        Node == other.Node && OnPrimary == other.OnPrimary && Timeline == other.Timeline && PrimaryEpoch == other.PrimaryEpoch;

    /// <summary>
    /// Returns whether the node itself has reached the timeline in the epoch of the observation. A server does not do that without the data
    /// that it had.
    /// </summary>
    public bool HasComeTo(uint timeline, ClusterSnapshot snapshot) =>
        Node.Index >= 0 && snapshot.Nodes[Node.Index] is { Failure: null, HasSeveralServers: false } now && now.Epoch == Node.Epoch
            && now.ProvenTimeline == timeline;
}
