namespace Tidemark;

/// <summary>A write that has ended at an unknown position.</summary>
/// <param name="Timeline">The timeline of the write, or zero for the current one.</param>
/// <param name="PrimaryEpoch">The epoch of the primary, as this process counts crashes.</param>
/// <param name="Node">The index of the node to which it was sent, or -1 for the primary of the timeline.</param>
/// <param name="IsInDoubt">
/// <see langword="true"/> if its connection broke during the commit, which the server may or may not complete.
/// </param>
/// <param name="Epoch">The epoch of the server to which it was sent, or <see langword="default"/> if unknown.</param>
/// <param name="Backend">The server process that may still commit it, or zero if unknown.</param>
internal readonly record struct PendingWrite(uint Timeline, int PrimaryEpoch, int Node, bool IsInDoubt, ServerEpoch Epoch, int Backend)
{
    /// <summary>Samples that start after this mark resolve the write. Assigned by <see cref="PendingPositions"/>.</summary>
    public long Mark { get; init; }

    /// <summary>
    /// The number of probes that had been sent when its connection was opened, or zero if the epoch is certain. Otherwise the epoch is only
    /// the one last probed. The connection may have led to a later one, unless a probe sent after it was opened still found the same epoch.
    /// </summary>
    public long ProbesSent { get; init; }

    /// <summary>
    /// The transaction that was open when the connection was abandoned, or <see langword="null"/> if there was none. It is in doubt until
    /// the primary reports that it has ended.
    /// </summary>
    public string? OpenTransaction { get; init; }

    /// <summary>The write without the values that only matter while it is in doubt.</summary>
    public PendingWrite Simplified => IsInDoubt ? this : this with { Epoch = default, Backend = 0, ProbesSent = 0, OpenTransaction = null };

    /// <summary>Returns whether the same samples resolve both writes.</summary>
    public bool IsLike(in PendingWrite other) => this with { Mark = 0 } == other with { Mark = 0 };

    /// <summary>
    /// Returns whether the write is still in doubt. No sample of the primary bounds its position before that is settled, because the server
    /// may commit after any sample.
    /// </summary>
    public bool IsOpen(ClusterSnapshot snapshot) => IsInDoubt && !HasEnded(snapshot);

    /// <summary>Returns whether a server process of this primary may still commit the write.</summary>
    public bool IsInDoubtAt(NodeState primary) => IsInDoubt && (Node == primary.Index || (Node < 0 && Timeline == primary.Timeline));

    // If the node had not responded to a probe before the write, its probes do not identify the epoch of the write.
    private bool HasEnded(ClusterSnapshot snapshot)
    {
        if (Timeline != 0 && snapshot.LatestTimeline != Timeline) return true;
        if (Epoch.IsUnknown || Node < 0 || snapshot.Nodes[Node].LastProbeIn(Epoch) <= ProbesSent - 1
            || snapshot.Nodes[Node] is not { Status: ConcludedStatus.Primary } node) return false;

        // A restart of the server, or a crash of one backend: no backend survives either. Apart from that, only a statistics reset changes
        // the epoch.
        return node.Epoch.StartedAt != Epoch.StartedAt
            || (node.PrimaryEpoch != PrimaryEpoch && !node.Epoch.IsSameButForCleanRestarts(Epoch));
    }
}
