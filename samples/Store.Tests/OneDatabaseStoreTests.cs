namespace Store;

/// <summary>Runs the store tests on one database: a cluster of one node. The store's code is the same.</summary>
public sealed class OneDatabaseStoreTests(Servers servers) : StoreTests(user: 1)
{
    private protected override Task<StoreApplication> OpenAsync() => Task.FromResult(new StoreApplication([servers.Cluster.Primary]));
}
