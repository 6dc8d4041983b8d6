using Tidemark.Testing;

namespace Tidemark.Cli.Local;

/// <summary>A cluster in the list of local clusters.</summary>
internal sealed record LocalListRecord(string Name, int? PostgresVersion, string? Database, int? Nodes, int? Running, string? Problem)
{
    public static async Task<LocalListRecord> ReadAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            var kept = KeptCluster.Read(name);
            var running = (await kept.QueryNodesAsync(cancellationToken)).Count(node => node.IsRunning);
            return new(name, kept.PostgresVersion, kept.Database, kept.Nodes.Count, running, Problem: null);
        }
        catch (Exception e) when (e is LocalClusterException or KeyNotFoundException)
        {
            return new(name, null, null, null, null, e.Message);
        }
    }
}
