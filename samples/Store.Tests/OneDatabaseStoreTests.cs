namespace Store;

/// <summary>The first way: one database, which is a cluster of one node. Nothing in the store differs.</summary>
public sealed class OneDatabaseStoreTests(Servers servers) : StoreTests(user: 1)
{
    private protected override Task<StoreApplication> OpenAsync() => Task.FromResult(new StoreApplication([servers.Cluster.Primary]));
}
