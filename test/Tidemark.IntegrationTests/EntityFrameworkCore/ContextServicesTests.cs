using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace Tidemark;

/// <summary>A context is routed whichever way the application configures it.</summary>
public sealed class ContextServicesTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Contexts_of_an_internal_service_provider_are_routed_and_plain_ones_beside_them_are_not()
    {
        await using var services = new ServiceCollection().AddEntityFrameworkNpgsql().AddEntityFrameworkTidemark().BuildServiceProvider();
        var routed = new DbContextOptionsBuilder<StoreContext>().UseInternalServiceProvider(services).UseTidemark(shared.Source).Options;
        var plain = new DbContextOptionsBuilder<StoreContext>().UseInternalServiceProvider(services)
            .UseNpgsql(shared.Cluster.Primary.ConnectionString)

            // EF Core requires that all contexts of one internal service provider have the same warnings. UseTidemark ignores this one.
            .ConfigureWarnings(warnings => warnings.Ignore(RelationalEventId.UnexpectedTrailingResultSetWhenSaving)).Options;

        await using (var db = new StoreContext(routed))
        {
            db.Items.Add(new Item { Name = "internal" });
            await db.SaveChangesAsync(Stop);
            var query = db.Items.AsNoTracking().Where(item => item.Name == "internal");
            query.ExplainRoute().Reason.ShouldNotBe(RouteReason.UnknownQuery);
            (await query.CountAsync(Stop)).ShouldBe(1);
            query.WithConsistency(Consistency.Strong).ExplainRoute().Reason.ShouldBe(RouteReason.StrongConsistency);
        }

        await using (var db = new StoreContext(plain))
        {
            var query = db.Items.AsNoTracking().Where(item => item.Name == "internal");
            (await query.ToListAsync(Stop)).ShouldHaveSingleItem();
            Should.Throw<InvalidOperationException>(() => query.ExplainRoute()).Message.ShouldContain("UseTidemark");
            db.Items.RemoveRange(query);
            (await db.SaveChangesAsync(Stop)).ShouldBe(1);
        }
    }

    [Fact]
    public async Task An_internal_service_provider_without_the_services_is_refused_with_the_remedy()
    {
        await using var services = new ServiceCollection().AddEntityFrameworkNpgsql().BuildServiceProvider();
        var options = new DbContextOptionsBuilder<StoreContext>().UseInternalServiceProvider(services).UseTidemark(shared.Source).Options;
        Should.Throw<InvalidOperationException>(() => new StoreContext(options)).Message.ShouldContain("AddEntityFrameworkTidemark");

        Should.Throw<InvalidOperationException>(() => new ServiceCollection().AddEntityFrameworkTidemark()).Message
            .ShouldContain("AddEntityFrameworkNpgsql");
    }

    [Fact]
    public async Task Options_that_are_added_to_the_context_later_keep_the_routing()
    {
        var services = new ServiceCollection().AddSingleton(shared.Source);
        services.AddDbContextPool<StoreContext>((provider, options) => options.UseTidemark(provider));
        services.ConfigureDbContext<StoreContext>(options => options.UseNpgsql(npgsql => npgsql.EnableRetryOnFailure().CommandTimeout(7)));
        await using var built = services.BuildServiceProvider();
        await using var scope = built.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<StoreContext>();

        db.Items.AsNoTracking().ExplainRoute().Role.ShouldBe(NodeRole.Replica);
        (db.Database.GetCommandTimeout(), db.Database.CreateExecutionStrategy().RetriesOnFailure).ShouldBe((7, true));
    }
}
