using Dapper;
using Microsoft.EntityFrameworkCore;

namespace Tidemark;

/// <summary>Connections that were created before a promotion, and opened after it.</summary>
public sealed class LeaseThroughPromotionTests : IAsyncLifetime
{
    private readonly StoreCluster _store = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _store.InitializeAsync();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task A_connection_created_before_a_promotion_does_not_open_on_the_old_primary()
    {
        await using var created = _store.Source.CreateConnection();
        await using var written = await _store.Source.OpenWriteConnectionAsync(Stop);
        await written.CloseAsync();
        await using var context = _store.CreateContext();
        var raw = context.Database.GetDbConnection();

        // Nothing fences the old primary: it keeps running in parallel with the new one.
        await _store.Cluster.WaitForReplayAsync(Stop);
        await _store.Cluster["pg-2"].PromoteAsync(cancellationToken: Stop);
        await StoreCluster.UntilAsync(_store.Source, nodes => nodes.Primary == "pg-2" && !nodes["pg-1"].IsServing);

        foreach (var connection in (System.Data.Common.DbConnection[])[created, written, raw])
        {
            var refused = await Should.ThrowAsync<RoutingException>(() => connection.ExecuteAsync("INSERT INTO items (name) VALUES "
                + "('split')"));
            refused.Message.ShouldContain("pg-1");
            refused.Message.ShouldContain("Nothing was sent");
            refused.Message.ShouldContain("'pg-2'");
            refused.IsTransient.ShouldBeTrue();
        }

        (await _store.Cluster["pg-1"].QueryAsync<long>("SELECT count(*) FROM items WHERE name = 'split'")).ShouldBe(0);
        await using var second = _store.Source.CreateConnection();
        await second.ExecuteAsync("INSERT INTO items (name) VALUES ('new')");
        context.Add(new Item { Name = "new" });
        await context.SaveChangesAsync(Stop);
        await context.Database.GetDbConnection().ExecuteAsync("INSERT INTO items (name) VALUES ('new')");
        (await _store.Cluster["pg-2"].QueryAsync<long>("SELECT count(*) FROM items WHERE name = 'new'")).ShouldBe(3);
    }

    [Fact]
    public async Task A_read_connection_opened_again_is_refused_on_a_node_that_no_longer_serves()
    {
        await using var connection = await _store.Source.OpenReadConnectionAsync(Consistency.Strong, Stop);
        await connection.CloseAsync();
        await _store.Cluster.WaitForReplayAsync(Stop);
        await _store.Cluster["pg-2"].PromoteAsync(cancellationToken: Stop);
        await StoreCluster.UntilAsync(_store.Source, nodes => nodes.Primary == "pg-2" && !nodes["pg-1"].IsServing);

        (await Should.ThrowAsync<RoutingException>(() => connection.OpenAsync(Stop))).Message.ShouldContain("pg-1");
    }
}
