using Microsoft.EntityFrameworkCore;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>
/// A primary with two replicas, a table of items, and a data source over all three nodes. One for each test class that breaks no server.
/// </summary>
public class StoreCluster : IAsyncLifetime
{
    public LocalCluster Cluster { get; private set; } = null!;

    public TidemarkDataSource Source { get; private set; } = null!;

    protected virtual int Replicas => 2;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public virtual async ValueTask InitializeAsync()
    {
        Cluster = await LocalCluster.StartAsync(Replicas, Stop);
        await Cluster.Primary.RunAsync(
            "CREATE TABLE items (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL); CREATE SEQUENCE tickets; " +
            "INSERT INTO items (name) SELECT 'item ' || i FROM generate_series(1, 10) i");
        await Cluster.WaitForReplayAsync(Stop);
        Source = await ConnectAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Source.DisposeAsync();
        await Cluster.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Creates another data source over the cluster, with every node probed.</summary>
    public async Task<TidemarkDataSource> ConnectAsync(Action<TidemarkDataSourceBuilder>? configure = null)
    {
        var builder = new TidemarkDataSourceBuilder();
        foreach (var node in Cluster.Nodes) builder.AddNode(node.Name, node.ConnectionString);
        configure?.Invoke(builder);
        var source = builder.Build();
        await source.Cluster.Monitor.FirstRoundAsync(Stop);
        return source;
    }

    /// <summary>Returns the name of the node that listens on the given port.</summary>
    public string NodeAt(int port) => Cluster.Nodes.Single(n => n.Port == port).Name;

    /// <summary>Waits until the data source's snapshot meets the condition. The test's own time-out ends the wait.</summary>
    public static async Task UntilAsync(TidemarkDataSource source, Func<ClusterSnapshotView, bool> isSo)
    {
        while (!isSo(new ClusterSnapshotView(source)))
            await source.Cluster.Monitor.SampleAsync(0, Stop);
    }

    public StoreContext CreateContext(TidemarkDataSource? source = null) =>
        new(new DbContextOptionsBuilder<StoreContext>().UseTidemark(source ?? Source).Options);
}
