using Tidemark.Testing;

[assembly: AssemblyFixture(typeof(Store.Servers))]
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Store;

/// <summary>
/// A primary and two replicas, shared by all test classes. The tests with one database and with a mirror use only the primary.
/// </summary>
public sealed class Servers : IAsyncLifetime
{
    public LocalCluster Cluster { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Cluster = await LocalCluster.StartAsync(cancellationToken: TestContext.Current.CancellationToken);
        await using var store = new StoreApplication([Cluster.Primary]);
        using var _ = store.Visit();
    }

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();
}
