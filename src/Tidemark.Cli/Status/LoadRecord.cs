namespace Tidemark.Cli.Status;

/// <summary>What a node is busy with.</summary>
/// <param name="Active">Connections that run a statement now; null where the role may not see that.</param>
/// <param name="Connections">All connections.</param>
/// <param name="MaxConnections">How many it takes.</param>
internal sealed record LoadRecord(int? Active, int Connections, int MaxConnections);
