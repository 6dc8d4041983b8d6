namespace Tidemark;

/// <summary>What a caller asks of one read. The attempts (<see cref="ReadAttempts"/>) derive the node from it.</summary>
/// <param name="Session">The session that reads, or <see langword="null"/> outside any.</param>
/// <param name="Consistency">The level, with the staleness bound that applies.</param>
/// <param name="OnNode">The name of the only node that may serve, or <see langword="null"/> for any.</param>
/// <param name="Preferred">The index of the node that serves if it can, or -1 for none.</param>
internal readonly record struct ReadRequest(
    ConsistencySession? Session, Consistency Consistency, string? OnNode = null, int Preferred = -1)
{
    /// <summary>Whether what runs may only read. A statement that turns out to write is then the caller's error.</summary>
    public bool MustNotWrite { get; init; }

    /// <summary>Why the read needs the primary, if its level requires the primary.</summary>
    public RouteReason StrongBecause { get; init; } = RouteReason.StrongConsistency;

    /// <summary>
    /// The text of the statement, so that one that turns out to write goes to the primary the next time. <see langword="null"/> if what
    /// runs is not a statement of the caller.
    /// </summary>
    public string? Text { get; init; }
}
