namespace Tidemark.Testing;

/// <summary>What one node is told by its settings.</summary>
/// <param name="Name">Such as <c>pg-2</c>.</param>
/// <param name="Follows">The node it streams from; null for a primary, also an old one.</param>
/// <param name="DelayMs">Shortest time between a commit and its replay.</param>
/// <param name="Followers">The standbys that a synchronous commit on this node waits for.</param>
/// <param name="IsHalfReplaced">Whether a rejoin has begun to replace the node's data and has not finished: it must not be started.</param>
internal sealed record KeptNodeState(string Name, string? Follows, int DelayMs, IReadOnlyList<string> Followers,
    bool IsHalfReplaced = false);
