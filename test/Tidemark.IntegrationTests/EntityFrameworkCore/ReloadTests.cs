using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Query.Internal;

#pragma warning disable EF1001 // Stands for the factory of another extension.

namespace Tidemark;

/// <summary>What changes data is never read from a lagging replica, and a query that Tidemark does not know goes to the primary.</summary>
public sealed class ReloadTests(StoreCluster shared) : IClassFixture<StoreCluster>, IAsyncLifetime
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.PauseReplayAsync(Stop);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.ResumeReplayAsync(CancellationToken.None);
        await shared.Cluster.WaitForReplayAsync(CancellationToken.None);
    }

    [Theory]
    [InlineData("Reload", TrackedQueries.FromPrimary)]
    [InlineData("ReloadAsync", TrackedQueries.FromPrimary)]
    [InlineData("GetDatabaseValues", TrackedQueries.FromPrimary)]
    [InlineData("GetDatabaseValuesAsync", TrackedQueries.FromPrimary)]
    [InlineData("Reload", TrackedQueries.FromReplicas)]
    [InlineData("GetDatabaseValuesAsync", TrackedQueries.FromReplicas)]
    public async Task A_tracked_entity_is_reloaded_from_the_primary(string how, TrackedQueries tracked)
    {
        await using var source = await shared.ConnectAsync(builder => builder.Options.TrackedQueries = tracked);
        var name = $"{how} {tracked}";
        await shared.Cluster.Primary.RunAsync($"UPDATE items SET name = '{name}' WHERE id = 3");
        await using var db = shared.CreateContext(source);
        var item = new Item { Id = 3, Name = "old" };
        var entry = db.Attach(item);

        (await ReadAsync(entry, how)).ShouldBe(name);
    }

    [Fact]
    public async Task A_query_of_the_application_with_an_array_of_values_may_leave_the_primary()
    {
        await using var db = shared.CreateContext();
        (await db.Items.AsNoTracking().Select(item => new object[] { item.Id, item.Name }).FirstAsync(Stop)).Length.ShouldBe(2);
        db.Items.AsNoTracking().Select(item => new object[] { item.Id, item.Name }).ExplainRoute().Role.ShouldBe(NodeRole.Replica);
    }

    [Fact]
    public async Task A_query_that_another_extension_compiles_goes_to_the_primary()
    {
        var options = new DbContextOptionsBuilder<StoreContext>().UseTidemark(shared.Source)
            .ReplaceService<IQueryTranslationPreprocessorFactory, RelationalQueryTranslationPreprocessorFactory>().Options;
        await using var db = new StoreContext(options);
        await shared.Cluster.Primary.RunAsync("UPDATE items SET name = 'unknown' WHERE id = 4");

        (await db.Items.AsNoTracking().SingleAsync(item => item.Id == 4, Stop)).Name.ShouldBe("unknown");
        db.Items.Single(item => item.Id == 4).Name.ShouldBe("unknown");
    }

    [Theory]
    [InlineData("conflict")]
    [InlineData("interceptor")]
    public async Task A_write_after_a_failed_save_is_read_back(string failure)
    {
        var options = new DbContextOptionsBuilder<StoreContext>().UseTidemark(shared.Source);
        if (failure == "interceptor") options.AddInterceptors(new FailingSave());
        await using var db = new StoreContext(options.Options);
        db.Remove(new Item { Id = 999_999, Name = "missing" });
        await Should.ThrowAsync<Exception>(() => db.SaveChangesAsync(Stop));
        db.ChangeTracker.Clear();

        await db.Database.OpenConnectionAsync(Stop);
        await using (var command = db.Database.GetDbConnection().CreateCommand())
        {
            command.CommandText = $"INSERT INTO items (name) VALUES ('after a failed save: {failure}')";
            await command.ExecuteNonQueryAsync(Stop);
        }

        await db.Database.CloseConnectionAsync();
        (await db.Items.AsNoTracking().CountAsync(item => item.Name == $"after a failed save: {failure}", Stop)).ShouldBe(1);
    }

    private static async Task<string> ReadAsync(EntityEntry<Item> entry, string how)
    {
        switch (how)
        {
            case "Reload": entry.Reload(); break;
            case "ReloadAsync": await entry.ReloadAsync(Stop); break;
            case "GetDatabaseValues": return entry.GetDatabaseValues()!.GetValue<string>("Name");
            default: return (await entry.GetDatabaseValuesAsync(Stop))!.GetValue<string>("Name");
        }

        return entry.Entity.Name;
    }

    private sealed class FailingSave : SaveChangesInterceptor
    {
        public override ValueTask<InterceptionResult<int>> SavingChangesAsync(
            DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default) =>
            throw new InvalidOperationException("the application refuses");
    }
}
