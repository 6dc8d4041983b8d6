using Microsoft.EntityFrameworkCore;

namespace Tidemark;

/// <summary>Where queries that track entities read, and what is logged when such an entity is saved.</summary>
public sealed class TrackedQueriesTests(RuleCluster shared) : IClassFixture<RuleCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Tracking_queries_read_from_the_primary_unless_the_option_allows_replicas()
    {
        await using (var context = shared.CreateRuleContext())
        {
            await context.Wishes.AsTracking().ToListAsync(Stop);
            shared.NodesOf(context).ShouldBe(["pg-1"]);
        }

        await using var source = await ConnectAsync(new RecordedLog());
        await using (var context = shared.CreateRuleContext(source))
        {
            await context.Wishes.AsTracking().ToListAsync(Stop);
            _ = context.Wishes.AsTracking().ToList();
            shared.NodesOf(context).ShouldAllBe(node => node != "pg-1");
            await context.Profiles.AsTracking().ToListAsync(Stop);
            shared.NodesOf(context).ShouldBe(["pg-1"], "its own rule holds");
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Saving_an_entity_read_from_a_replica_without_a_token_is_logged_once_per_type(bool isAsync)
    {
        var log = new RecordedLog();
        await using var source = await ConnectAsync(log);
        for (var i = 0; i < 2; i++)
        {
            await using var context = shared.CreateRuleContext(source);
            var wish = await context.Wishes.AsTracking().SingleAsync(Stop);
            wish.Kind = $"changed {i} {isAsync}";
            if (isAsync) await context.SaveChangesAsync(Stop);
            else context.SaveChanges();
        }

        Warnings(log).ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            text => text.ShouldContain("An entity of type ProfileWish was read from a replica and is saved without a concurrency token"),
            text => text.ShouldContain("IsRowVersion()"));
    }

    [Fact]
    public async Task Saving_an_entity_from_the_primary_or_with_a_token_is_not_logged()
    {
        var log = new RecordedLog();
        await using var source = await ConnectAsync(log);
        await using (var context = shared.CreateRuleContext(source))
        {
            var fromPrimary = await context.Wishes.AsTracking().WithConsistency(Consistency.Strong).SingleAsync(Stop);
            fromPrimary.Kind = "from the primary";
            await context.SaveChangesAsync(Stop);
        }

        await using (var context = shared.CreateRuleContext(source))
        {
            await context.Payments.OfType<CashPayment>().AsTracking().OnNode("pg-2").ToListAsync(Stop);
            context.Update(new ProfileWish { Id = 1, ProfileId = 1, Kind = "attached" });
            await context.SaveChangesAsync(Stop);
        }

        await using (var context = new TokenContext(source))
        {
            var item = await context.Items.FirstAsync(Stop);
            context.Entry(item).State.ShouldBe(EntityState.Unchanged);
            item.Name = "with a token";
            await context.SaveChangesAsync(Stop);
        }

        Warnings(log).ShouldBeEmpty();
    }

    private Task<TidemarkDataSource> ConnectAsync(RecordedLog log) => shared.ConnectAsync(b =>
    {
        b.LoggerFactory = log;
        b.Options.TrackedQueries = TrackedQueries.FromReplicas;
    });

    private static IEnumerable<string> Warnings(RecordedLog log) =>
        log.Entries.Where(e => e.Event == "SavedFromReplica").Select(e => e.Text);

    private sealed class TokenContext(TidemarkDataSource source) : DbContext
    {
        public DbSet<Item> Items => Set<Item>();

        protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) => optionsBuilder.UseTidemark(source);

        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Item>(item =>
        {
            item.ToTable("items");
            item.Property(i => i.Id).HasColumnName("id").UseIdentityAlwaysColumn();
            item.Property(i => i.Name).HasColumnName("name");
            item.Property<uint>("Version").IsRowVersion();
        });
    }
}
