namespace Tidemark.Cli.Status;

/// <summary>The load of a node.</summary>
/// <param name="Active">Number of connections that run a statement now; <c>null</c> if the role lacks the privilege to read it.</param>
/// <param name="Connections">Number of all connections.</param>
/// <param name="MaxConnections">Maximum number of connections.</param>
internal sealed record LoadRecord(int? Active, int Connections, int MaxConnections);
