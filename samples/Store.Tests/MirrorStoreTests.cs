using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Npgsql;
using Store.Data;

namespace Store;

/// <summary>
/// Runs the store tests on a mirror. The store runs in a transaction that the test rolls back, and each command is recorded with the node
/// it would have run on.
/// </summary>
public sealed class MirrorStoreTests(Servers servers) : StoreTests(user: 2)
{
    // The simulated replicas never receive what is written. The routes therefore show whether the session keeps its watermark from one
    // request to the next.
    private readonly RouteRecorder _routes = new() { Replicas = ["replica-1", "replica-2"], ReplicasAreBehind = true };
    private NpgsqlConnection _connection = null!;

    [Fact]
    public async Task Pages_read_from_replicas_until_their_user_writes()
    {
        _routes.Clear();
        foreach (var path in (string[])["/", "/wishlist", "/messages"]) await GetAsync(path);
        _routes.Reads.ShouldAllBe(read => read.Role == NodeRole.Replica);
        _routes.Writes.ShouldBeEmpty();

        await PostAsync("/wishlist?handler=Add", ("product", "77"));
        _routes.Writes.ShouldHaveSingleItem().Role.ShouldBe(NodeRole.Primary);

        _routes.Clear();
        await GetAsync("/wishlist");
        _routes.Reads.ShouldAllBe(read => read.Reason == RouteReason.NoReplicaCanServe);
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _connection.DisposeAsync();
        await _routes.DisposeAsync();
    }

    private protected override async Task<StoreApplication> OpenAsync()
    {
        _connection = new NpgsqlConnection(servers.Cluster.Primary.ConnectionString);
        await _connection.OpenAsync(TestContext.Current.CancellationToken);
        var transaction = await _connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        return new StoreApplication(servers.Cluster.Nodes, services =>
        {
            services.AddSingleton(_routes.Source);
            services.RemoveAll<IDbContextOptionsConfiguration<StoreContext>>();
            services.AddDbContext<StoreContext>(db => db.UseTidemarkMirror(transaction, _routes));
        });
    }
}
