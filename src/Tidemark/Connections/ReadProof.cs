namespace Tidemark;

/// <summary>
/// What an open connection must prove before its rows are used, in the round trip of the read itself. The result is always recorded: the
/// epoch for the connection, and the position for the node in the snapshot.
/// </summary>
/// <param name="Cluster">Records the result.</param>
/// <param name="Node">The node in the snapshot from which it was selected.</param>
/// <param name="Position">
/// The WAL position that a replica must have replayed, on the timeline that it was known to follow, or <see langword="null"/> if any will
/// do.
/// </param>
/// <param name="Epoch">
/// The epoch that the server must be in, or <see langword="null"/> if any will do. For a primary, clean restarts in between are allowed.
/// </param>
/// <param name="OnPrimary">Whether the server must be the primary.</param>
/// <param name="SystemIdentifier">The system identifier of the cluster that the server must belong to, or zero if it is unknown.</param>
internal sealed record ReadProof(ClusterConnections? Cluster, NodeState Node, WalPosition? Position, ServerEpoch? Epoch, bool OnPrimary,
    ulong SystemIdentifier)
{
    /// <summary>Whether the read depends on the proof. Otherwise it only records the epoch of the connection.</summary>
    public bool IsRequired => Position is not null || Epoch is not null;

    /// <summary>The monotonic time for dating samples.</summary>
    public long Now => Cluster?.Now ?? 0;

    public string Sql => CheckAnswer.Sql(Node.HidesPositions);

    /// <summary>Records the response of the server, and returns whether it proves what the read needs.</summary>
    /// <param name="connection">The identity of the physical connection.</param>
    /// <param name="answer">The response of the server.</param>
    /// <param name="sentAt">Monotonic time before the query was sent.</param>
    public bool Take(object connection, in CheckAnswer answer, long sentAt)
    {
        Cluster?.Note(this, connection, answer, sentAt);
        return IsShownBy(answer);
    }

    /// <summary>Returns whether the response proves what the read needs. Pure.</summary>
    public bool IsShownBy(in CheckAnswer answer)
    {
        if (SystemIdentifier != 0 && answer.SystemIdentifier != SystemIdentifier) return false;
        if (OnPrimary) return !answer.IsInRecovery && (Epoch is not { } run || answer.Epoch.IsSameButForCleanRestarts(run));
        if (Epoch is { } epoch && answer.Epoch != epoch) return false;
        return Position is not { } position || (answer.IsInRecovery && answer.Replayed >= position.Lsn && IsOn(position.Timeline, answer));
    }

    // A receiver that is disconnected for a moment reports no timeline. Within one epoch, a server continues to follow the same timeline.
    // If the role may not see the receiver, the timeline must come from the control file.
    private bool IsOn(uint timeline, in CheckAnswer answer) =>
        answer.Timeline != 0 ? answer.Timeline == timeline
        : (Node.SeesTimeline && Node.Timeline != 0 && answer.Epoch == Node.Epoch) || Math.Max(answer.LeastTimeline, 1) == timeline;
}
