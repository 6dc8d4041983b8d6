namespace Tidemark;

/// <summary>A write that has ended somewhere on a timeline.</summary>
/// <param name="Timeline">The timeline; zero: whichever is current.</param>
/// <param name="PrimaryEpoch">The primary's life, as this process counts crashes.</param>
/// <param name="Node">Where it was sent; -1: wherever the primary of the timeline is.</param>
/// <param name="IsInDoubt">Its connection broke during the commit, which the server may or may not finish.</param>
/// <param name="Epoch">The server's run that it was sent to; <see langword="default"/>: unknown.</param>
/// <param name="Backend">The server process that may still commit it; zero: unknown.</param>
internal readonly record struct PendingWrite(uint Timeline, int PrimaryEpoch, int Node, bool IsInDoubt, ServerEpoch Epoch, int Backend)
{
    /// <summary>Samples that were started after it resolve it. Given by <see cref="PendingPositions"/>.</summary>
    public long Mark { get; init; }

    /// <summary>
    /// How many probes had been sent when its connection was opened; zero: the epoch is certain. Otherwise it is only what the node was
    /// known by: the
    /// connection may have led to a later run, unless a probe sent after its opening still found that one.
    /// </summary>
    public long ProbesSent { get; init; }

    /// <summary>
    /// The transaction that was open when the connection was left, in doubt until the primary says it ended; <see langword="null"/>: none.
    /// </summary>
    public string? OpenTransaction { get; init; }

    /// <summary>Without what only matters while the write is in doubt.</summary>
    public PendingWrite Simplified => IsInDoubt ? this : this with { Epoch = default, Backend = 0, ProbesSent = 0, OpenTransaction = null };

    /// <summary>Whatever resolves one resolves the other.</summary>
    public bool IsLike(in PendingWrite other) => this with { Mark = 0 } == other with { Mark = 0 };

    /// <summary>No sample of the primary tells where it is before this is settled: the server may commit after any.</summary>
    public bool IsOpen(ClusterSnapshot snapshot) => IsInDoubt && !HasEnded(snapshot);

    /// <summary>It may still be committed by a server process of this primary's.</summary>
    public bool IsInDoubtAt(NodeState primary) => IsInDoubt && (Node == primary.Index || (Node < 0 && Timeline == primary.Timeline));

    // A node that had not answered yet when it was written to tells nothing of the life that the write was in.
    private bool HasEnded(ClusterSnapshot snapshot)
    {
        if (Timeline != 0 && snapshot.LatestTimeline != Timeline) return true;
        if (Epoch.IsUnknown || Node < 0 || snapshot.Nodes[Node].LastProbeIn(Epoch) <= ProbesSent - 1
            || snapshot.Nodes[Node] is not { Status: ConcludedStatus.Primary } node) return false;

        // Another start of the server, or a crash of one backend: no backend survives either. Only a reset of the statistics changes the
        // epoch beside that.
        return node.Epoch.StartedAt != Epoch.StartedAt
            || (node.PrimaryEpoch != PrimaryEpoch && !node.Epoch.IsSameButForCleanRestarts(Epoch));
    }
}
