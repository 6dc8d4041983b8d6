namespace Tidemark;

/// <summary>
/// What an open connection must show, in the round trip of the read itself, before rows are believed. Whatever it shows is noted: the
/// connection learns its
/// epoch, and the snapshot the node's position.
/// </summary>
/// <param name="Cluster">Notes what is shown.</param>
/// <param name="Node">The node as it was known when it was chosen.</param>
/// <param name="Position">
/// What a replica must have replayed, on the timeline that it was known to follow; <see langword="null"/>: anything will do.
/// </param>
/// <param name="Epoch">
/// The run that the server must be in, or for a primary one without a crash in between; <see langword="null"/>: any.
/// </param>
/// <param name="OnPrimary">The server must be the primary.</param>
/// <param name="SystemIdentifier">The cluster that it must be of; zero: not known.</param>
internal sealed record ReadProof(ClusterConnections? Cluster, NodeState Node, WalPosition? Position, ServerEpoch? Epoch, bool OnPrimary,
    ulong SystemIdentifier)
{
    /// <summary>The read depends on it. Otherwise the connection only learns its epoch.</summary>
    public bool IsRequired => Position is not null || Epoch is not null;

    /// <summary>Monotonic time, by which samples are dated.</summary>
    public long Now => Cluster?.Now ?? 0;

    public string Question => CheckAnswer.Question(Node.HidesPositions);

    /// <summary>Notes what the server has shown, and says whether it is enough.</summary>
    /// <param name="connection">The identity of the physical connection.</param>
    /// <param name="answer">What was shown.</param>
    /// <param name="sentAt">Monotonic time before the question was sent.</param>
    public bool Take(object connection, in CheckAnswer answer, long sentAt)
    {
        Cluster?.Note(this, connection, answer, sentAt);
        return IsShownBy(answer);
    }

    /// <summary>Whether the answer proves what the read needs. Pure.</summary>
    public bool IsShownBy(in CheckAnswer answer)
    {
        if (SystemIdentifier != 0 && answer.SystemIdentifier != SystemIdentifier) return false;
        if (OnPrimary) return !answer.IsInRecovery && (Epoch is not { } run || answer.Epoch.IsSameButForCleanRestarts(run));
        if (Epoch is { } epoch && answer.Epoch != epoch) return false;
        return Position is not { } position || (answer.IsInRecovery && answer.Replayed >= position.Lsn && IsOn(position.Timeline, answer));
    }

    // A receiver that is gone for a moment shows no timeline: within one run a server goes on with the history that it was seen to follow.
    // One that hides it
    // must have come to the timeline by its control file.
    private bool IsOn(uint timeline, in CheckAnswer answer) =>
        answer.Timeline != 0 ? answer.Timeline == timeline
        : (Node.SeesTimeline && Node.Timeline != 0 && answer.Epoch == Node.Epoch) || Math.Max(answer.LeastTimeline, 1) == timeline;
}
