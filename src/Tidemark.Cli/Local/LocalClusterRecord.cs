using Tidemark.Testing;

namespace Tidemark.Cli.Local;

/// <summary>The state of a local cluster, as printed and as JSON.</summary>
internal sealed record LocalClusterRecord(
    string Name, int PostgresVersion, string Database, bool SynchronousReplicas, string Folder, string ConnectionString,
        IReadOnlyList<LocalNodeRecord> Nodes, IReadOnlyList<string> Findings)
{
    public static async Task<LocalClusterRecord> ReadAsync(string name, CancellationToken cancellationToken)
    {
        var kept = KeptCluster.Read(name);
        return Of(kept, await kept.QueryNodesAsync(cancellationToken));
    }

    public static LocalClusterRecord Of(KeptCluster kept, IReadOnlyList<LocalNodeStatus> nodes) => new(
        kept.Name, kept.PostgresVersion, kept.Database, kept.HasSynchronousReplicas, kept.Folder, kept.ConnectionString,
        [.. nodes.Zip(kept.Nodes, LocalNodeRecord.Of)], LocalFindings.Of(kept.Name, kept.HasSynchronousReplicas, nodes));

    public LocalNodeRecord this[string node] => Nodes.First(each => each.Name == node);
}
