using Tidemark.Testing;

namespace Tidemark;

/// <summary>A primary and two replicas for the tests of one class.</summary>
public sealed class ClusterOfThree : IAsyncLifetime
{
    private LocalCluster? _cluster;

    internal LocalCluster Cluster => _cluster!;

    /// <summary>The options that select its nodes. The nodes pg-1, pg-2 and pg-3 differ by their ports.</summary>
    internal string[] Options => [.. Cluster.Nodes.SelectMany(node => (string[])["--connection", node.ConnectionString])];

    public async ValueTask InitializeAsync() => _cluster = await LocalCluster.StartAsync(replicas: 2);

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();

    internal string NameOf(string node) => $"127.0.0.1:{Cluster[node].Port}";
}
