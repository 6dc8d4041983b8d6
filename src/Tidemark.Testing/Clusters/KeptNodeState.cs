namespace Tidemark.Testing;

/// <summary>The recorded configuration of one node of a kept cluster.</summary>
/// <param name="Name">The name, such as <c>pg-2</c>.</param>
/// <param name="Follows">The node it streams from, or <c>null</c> for a primary, including an old one.</param>
/// <param name="DelayMs">Shortest time between a commit and its replay.</param>
/// <param name="Followers">The standbys that a synchronous commit on this node waits for.</param>
/// <param name="IsHalfReplaced">
/// Whether a rejoin began to replace the node's data and did not finish. Such a node must not be started.
/// </param>
internal sealed record KeptNodeState(
    string Name, string? Follows, int DelayMs, IReadOnlyList<string> Followers, bool IsHalfReplaced = false);
