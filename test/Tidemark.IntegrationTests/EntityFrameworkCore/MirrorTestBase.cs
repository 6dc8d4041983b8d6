using Npgsql;

namespace Tidemark;

/// <summary>The basis of every mirror test: a connection, a transaction that is never committed, and a record of routes.</summary>
/// <param name="shared">The cluster whose primary is mirrored.</param>
/// <param name="replicas">The names of the replicas that the mirror simulates. Empty for the default.</param>
public abstract class MirrorTestBase(StoreCluster shared, params string[] replicas) : IAsyncLifetime
{
    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    protected StoreCluster Shared { get; } = shared;

    protected NpgsqlConnection Connection { get; } = new(shared.Cluster.Primary.ConnectionString);

    protected NpgsqlTransaction Transaction { get; private set; } = null!;

    protected RouteRecorder Routes { get; } = replicas.Length > 0 ? new() { Replicas = replicas } : new();

    public async ValueTask InitializeAsync()
    {
        await Connection.OpenAsync(Stop);
        Transaction = await Connection.BeginTransactionAsync(Stop);
    }

    public virtual async ValueTask DisposeAsync()
    {
        await Transaction.DisposeAsync();
        await Connection.DisposeAsync();
        await Routes.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}
