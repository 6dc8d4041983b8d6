namespace Tidemark.Testing;

/// <summary>The values that define one node's configuration.</summary>
/// <param name="Name">The name of the node.</param>
/// <param name="Port">The port that it listens on.</param>
/// <param name="PrimaryPort">The port of the node that it streams from, or <c>null</c> for a primary.</param>
/// <param name="ApplyDelay">Shortest time between a commit and its replay.</param>
/// <param name="Followers">The standbys that a synchronous commit on this node waits for.</param>
internal sealed record ServerRole(string Name, int Port, int? PrimaryPort, TimeSpan ApplyDelay, IReadOnlyList<string> Followers);
