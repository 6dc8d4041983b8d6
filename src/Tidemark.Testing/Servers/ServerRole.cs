namespace Tidemark.Testing;

/// <summary>What one node's configuration is made of.</summary>
/// <param name="Name">The node.</param>
/// <param name="Port">Where it listens.</param>
/// <param name="PrimaryPort">Where the node listens that it streams from; null for a primary.</param>
/// <param name="ApplyDelay">Shortest time between a commit and its replay.</param>
/// <param name="Followers">The standbys that a synchronous commit on this node waits for.</param>
internal sealed record ServerRole(string Name, int Port, int? PrimaryPort, TimeSpan ApplyDelay, IReadOnlyList<string> Followers);
