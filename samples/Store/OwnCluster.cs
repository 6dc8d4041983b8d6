using Tidemark.Testing;

namespace Store;

/// <summary>
/// The servers that the store starts if its configuration names none: a primary and two replicas on this machine.
/// </summary>
internal static class OwnCluster
{
    /// <summary>
    /// Starts a cluster and adds its nodes to the configuration. Returns <c>null</c> without starting one if nodes are configured.
    /// </summary>
    public static async Task<LocalCluster?> StartUnlessConfiguredAsync(IConfiguration configuration, CancellationToken cancellationToken)
    {
        var tidemark = configuration.GetSection("Tidemark");
        if (tidemark["ConnectionString"] is not null || tidemark.GetSection("Nodes").GetChildren().Any()) return null;

        var cluster = await Terminal.ShowAsync("Starting PostgreSQL: a primary and two replicas", progress =>
            LocalCluster.StartAsync(new LocalClusterOptions { Replicas = 2, Progress = progress }, cancellationToken));
        foreach (var node in cluster.Nodes) tidemark[$"Nodes:{node.Name}"] = node.ConnectionString;
        return cluster;
    }
}
