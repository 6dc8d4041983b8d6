namespace Tidemark;

/// <summary>
/// What a context is about to execute, determined before a connection is opened for it. Set when the execution begins, handed on with what
/// its connection adds, and consumed when EF Core creates the command.
/// </summary>
/// <param name="WhyPrimary">Why it uses the main connection; <see cref="RouteReason.None"/> if it is routed as a read.</param>
/// <param name="Tracks">Whether it is a query that hands out entities that the context tracks.</param>
/// <param name="CommitsByItself">
/// Whether it runs on the main connection and is the last write before that connection closes, so that a position query is piggybacked on
/// it.
/// </param>
/// <param name="Proof">What the node must prove in the same round trip; <see langword="null"/> for nothing.</param>
internal readonly record struct PendingExecution(
    RouteReason WhyPrimary, bool Tracks = false, bool CommitsByItself = false, ReadProof? Proof = null)
{
    /// <summary>A command that is not a query.</summary>
    public static PendingExecution Write => new(RouteReason.Write);

    /// <summary>Whether it may leave the main connection.</summary>
    public bool IsRouted => WhyPrimary == RouteReason.None;
}
