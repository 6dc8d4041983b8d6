using System.Diagnostics.CodeAnalysis;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Tidemark;

/// <summary>How a context rejects invalid configuration and invalid calls, as early as possible.</summary>
public sealed class ContextBadInputTests(RuleCluster shared) : IClassFixture<RuleCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_query_that_names_a_node_that_does_not_exist_is_refused_before_it_runs()
    {
        await using var context = shared.CreateRuleContext();
        Should.Throw<ArgumentException>(() => context.Wishes.OnNode("pg-9"))
            .Message.ShouldContain("No node is named 'pg-9'. The nodes are pg-1, pg-2, pg-3.");
        Should.Throw<ArgumentException>(() => context.Wishes.OnNode(" "));

        var compiled = EF.CompileAsyncQuery((RuleContext c, string node) => c.Wishes.OnNode(node).Count());
        (await Should.ThrowAsync<ArgumentException>(() => compiled(context, "pg-9"))).Message.ShouldContain("pg-1, pg-2, pg-3");
    }

    [Fact]
    public async Task A_bound_that_cannot_be_measured_is_refused_before_the_query_runs()
    {
        await using var context = shared.CreateRuleContext();
        Should.Throw<ArgumentOutOfRangeException>(() =>
            context.Wishes.WithConsistency(Consistency.BoundedStaleness(TimeSpan.FromMilliseconds(1))))
            .Message.ShouldContain("ProbeInterval");
    }

    [Fact]
    public async Task A_write_that_names_a_replica_is_refused_and_nothing_is_sent()
    {
        await using var context = shared.CreateRuleContext();
        foreach (var write in (Func<Task>[])[
            () => context.Wishes.OnNode("pg-2").ExecuteDeleteAsync(Stop),
            () => context.Wishes.OnNode("pg-2").ExecuteUpdateAsync(set => set.SetProperty(w => w.Kind, "no"), Stop),
            () => Task.FromResult(context.Wishes.OnNode("pg-2").ExecuteDelete()),
            () => Task.FromResult(context.Wishes.OnNode("pg-2").ExecuteUpdate(set => set.SetProperty(w => w.Kind, "no")))])
        {
            var error = (await Should.ThrowAsync<RoutingException>(write)).ShouldBeOfType<RoutingException>();
            error.Message.ShouldContain(
                "The statement writes, but was directed to 'pg-2', which does not accept writes. The primary is 'pg-1'");
            error.IsTransient.ShouldBeFalse();
        }

        (await shared.Cluster.Primary.QueryAsync<long>("SELECT count(*) FROM wishes WHERE kind <> 'no'")).ShouldBe(1);
        (await context.Wishes.OnNode("pg-1").ExecuteUpdateAsync(set => set.SetProperty(w => w.Kind, "yes"), Stop)).ShouldBe(1);
    }

    [Fact]
    public async Task Two_clusters_for_one_context_are_refused_and_one_cluster_twice_is_accepted()
    {
        await using var other = await shared.ConnectAsync();
        var options = new DbContextOptionsBuilder<StoreContext>().UseTidemark(shared.Source);
        Should.Throw<InvalidOperationException>(() => options.UseTidemark(other))
            .Message.ShouldContain("UseTidemark was called twice for StoreContext with different data sources");

        await using var context = new StoreContext(options.UseTidemark(shared.Source, npgsql => npgsql.CommandTimeout(7)).Options);
        context.Database.GetCommandTimeout().ShouldBe(7);
        context.Add(new Item { Name = "once" });
        await context.SaveChangesAsync(Stop);
        OptionalRouting.Of(context)!.Session.Written.ShouldNotBeNull();
    }

    [Fact]
    public async Task UseNpgsql_with_another_database_or_connection_is_refused()
    {
        var elsewhere =
            new NpgsqlConnectionStringBuilder(shared.Cluster.Primary.ConnectionString) { Database = "elsewhere" }.ConnectionString;
        Should.Throw<InvalidOperationException>(() => new DbContextOptionsBuilder<StoreContext>().UseNpgsql(elsewhere)
            .UseTidemark(shared.Source))
            .Message.ShouldContain("UseNpgsql configured StoreContext for the database 'elsewhere'");
        await using var connection = new NpgsqlConnection(elsewhere);
        Should.Throw<InvalidOperationException>(() => new DbContextOptionsBuilder<StoreContext>().UseNpgsql(connection)
            .UseTidemark(shared.Source))
            .Message.ShouldContain("UseNpgsql configured StoreContext with its own connection");

        await using var plain = NpgsqlDataSource.Create(shared.Cluster.Primary.ConnectionString);
        foreach (var after in (DbContextOptions<StoreContext>[])[
            new DbContextOptionsBuilder<StoreContext>().UseTidemark(shared.Source).UseNpgsql(elsewhere).Options,
            new DbContextOptionsBuilder<StoreContext>().UseTidemark(shared.Source).UseNpgsql(plain).Options])
        {
            await using var context = new StoreContext(after);
            Should.Throw<InvalidOperationException>(() => context.Items.Count())
                .Message.ShouldContain("UseNpgsql was called after UseTidemark for StoreContext");
            Should.Throw<InvalidOperationException>(() => context.Add(new Item { Name = "no" }));
            await Should.ThrowAsync<InvalidOperationException>(() => context.Database.ExecuteSqlRawAsync("DELETE FROM items", Stop));
        }

        // Options alone, or the same database configured before, are not a conflict.
        await using var same = new StoreContext(new DbContextOptionsBuilder<StoreContext>()
            .UseNpgsql(shared.Cluster.Primary.ConnectionString).UseTidemark(shared.Source).UseNpgsql(npgsql => npgsql.CommandTimeout(7))
                .Options);
        (await same.Items.AsNoTracking().CountAsync(Stop)).ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task A_data_source_that_was_disposed_of_is_named_by_the_first_call_that_needs_it()
    {
        var source = await shared.ConnectAsync();
        var context = shared.CreateContext(source);
        await source.DisposeAsync();

        Should.Throw<ObjectDisposedException>(() => new DbContextOptionsBuilder<StoreContext>().UseTidemark(source))
            .Message.ShouldContain("Dispose it last");
        (await Should.ThrowAsync<ObjectDisposedException>(() => context.Items.AsNoTracking().ToListAsync(Stop)))
            .Message.ShouldContain("TidemarkDataSource is disposed");
        Should.Throw<ObjectDisposedException>(() => context.Items.ToList());
        context.Add(new Item { Name = "no" });
        await Should.ThrowAsync<ObjectDisposedException>(() => context.SaveChangesAsync(Stop));
        await Should.ThrowAsync<ObjectDisposedException>(async () => await source.OpenReadConnectionAsync(cancellationToken: Stop));
        Should.Throw<ObjectDisposedException>(() => source.OpenWriteConnection());
        Should.Throw<ObjectDisposedException>(() => source.Explain());
        await context.DisposeAsync();
    }

    [Fact]
    public void A_provider_that_is_not_Npgsql_is_refused_by_name()
    {
        var options = new DbContextOptionsBuilder<StoreContext>();
        ((IDbContextOptionsBuilderInfrastructure)options).AddOrUpdateExtension(new OtherProvider());
        Should.Throw<InvalidOperationException>(() => options.UseTidemark(shared.Source))
            .Message.ShouldContain("already uses another database provider (OtherProvider)");

        using var plain = new StoreContext(new DbContextOptionsBuilder<StoreContext>().UseNpgsql("Host=none.invalid").Options);
        Should.Throw<InvalidOperationException>(() => plain.Database.BeginReadOnlyTransaction())
            .Message.ShouldContain("Configure it with UseTidemark");
        Should.Throw<InvalidOperationException>(() => plain.Database.BeginTransaction(SynchronousCommit.On))
            .Message.ShouldContain("Configure it with UseTidemark");
        Should.Throw<InvalidOperationException>(() => plain.Items.ToRouteString())
            .Message.ShouldContain("does not belong to a context that uses Tidemark");
    }

    private sealed class OtherProvider : IDbContextOptionsExtension
    {
        [field: MaybeNull]
        public DbContextOptionsExtensionInfo Info => field ??= new OtherInfo(this);

        public void ApplyServices(IServiceCollection services)
        {
        }

        public void Validate(IDbContextOptions options)
        {
        }

        private sealed class OtherInfo(OtherProvider provider) : DbContextOptionsExtensionInfo(provider)
        {
            public override bool IsDatabaseProvider => true;

            public override string LogFragment => "";

            public override int GetServiceProviderHashCode() => 0;

            public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) => other is OtherInfo;

            public override void PopulateDebugInfo(IDictionary<string, string> debugInfo)
            {
            }
        }
    }
}
