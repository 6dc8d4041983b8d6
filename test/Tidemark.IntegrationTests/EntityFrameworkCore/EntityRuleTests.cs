using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>Rules of the model and of queries, checked by the servers that the commands were sent to.</summary>
public sealed class EntityRuleTests(RuleCluster shared) : IClassFixture<RuleCluster>
{
    private static readonly Func<RuleContext, int> CountProfiles = EF.CompileQuery((RuleContext c) => c.Profiles.Count());

    private static readonly Dictionary<string, Func<RuleContext, Task>> OnPrimary = new()
    {
        ["itself"] = c => c.Profiles.ToListAsync(Stop),
        ["projection"] = c => c.Profiles.Select(p => p.Name).ToListAsync(Stop),
        ["aggregate"] = c => c.Profiles.CountAsync(Stop),
        ["compiled, sync"] = c => Task.FromResult(CountProfiles(c)),
        ["join"] = c => c.Wishes.Join(c.Profiles, w => w.ProfileId, p => p.Id, (w, p) => w.Kind).ToListAsync(Stop),
        ["include"] = c => c.Wishes.Include(w => w.Profile).ToListAsync(Stop),
        ["include by name"] = c => c.Wishes.Include("Profile").ToListAsync(Stop),
        ["collection include"] = c => c.Profiles.Include(p => p.Wishes).ToListAsync(Stop),
        ["split include"] = c => c.Profiles.Include(p => p.Wishes).AsSplitQuery().OrderBy(p => p.Id).ToListAsync(Stop),
        ["split include of it"] = c => c.Set<Letter>().IgnoreAutoIncludes().Include(l => l.Profile.Wishes).AsSplitQuery().OrderBy(l => l.Id)
            .ToListAsync(Stop),
        ["auto-include"] = c => c.Set<Letter>().ToListAsync(Stop),
        ["query filter"] = c => c.Set<Note>().ToListAsync(Stop),
        ["navigation"] = c => c.Wishes.Where(w => w.Profile!.Name == "ada").Select(w => w.Kind).ToListAsync(Stop),
        ["navigation in the result"] = c => c.Wishes.Select(w => w.Profile!.Name).ToListAsync(Stop),
        ["union"] = c => c.Wishes.Select(w => w.Kind).Union(c.Profiles.Select(p => p.Name)).ToListAsync(Stop),
        ["concat, second"] = c => c.PublicProfiles.Select(p => p.Name).Concat(c.Profiles.Select(p => p.Name)).ToListAsync(Stop),
        ["subquery"] = c => c.Wishes.Where(w => c.Profiles.Any(p => p.Id == w.ProfileId)).ToListAsync(Stop),
        ["subquery in the result"] = c => c.Wishes.Select(w => c.Profiles.Count(p => p.Id == w.ProfileId)).ToListAsync(Stop),
        ["group"] = c => c.Wishes.GroupBy(w => w.Profile!.Name).Select(g => g.Key).ToListAsync(Stop),
        ["base type"] = c => c.Payments.ToListAsync(Stop),
        ["derived type"] = c => c.Set<CardPayment>().ToListAsync(Stop),
        ["of type"] = c => c.Payments.OfType<CardPayment>().ToListAsync(Stop),
        ["scope asks for less"] = async c => { using (c.GetSource().Require(Consistency.Eventual)) await c.Profiles.ToListAsync(Stop); },
        ["query asks for less"] = c => c.Profiles.WithConsistency(Consistency.Eventual).ToListAsync(Stop),
        ["query's own rule"] = c => c.PublicProfiles.WithConsistency(Consistency.Strong).ToListAsync(Stop),
        ["query's own rule, inner"] = c =>
            c.Wishes.Where(w => c.PublicProfiles.WithConsistency(Consistency.Strong).Any(p => p.Id == w.ProfileId)).ToListAsync(Stop),
        ["more demanding first"] = c => c.Wishes.WithConsistency(Consistency.Strong).WithConsistency(Consistency.Eventual)
            .ToListAsync(Stop),
        ["tracked"] = c => c.Wishes.AsTracking().ToListAsync(Stop),
    };

    private static readonly Dictionary<string, Func<RuleContext, Task>> OnReplica = new()
    {
        ["no rule"] = c => c.Wishes.ToListAsync(Stop),
        ["another type over the table"] = c => c.PublicProfiles.ToListAsync(Stop),
        ["a sibling type"] = c => c.Set<CashPayment>().ToListAsync(Stop),
        ["auto-include ignored"] = c => c.Set<Letter>().IgnoreAutoIncludes().ToListAsync(Stop),
        ["filter ignored"] = c => c.Set<Note>().IgnoreQueryFilters().ToListAsync(Stop),
        ["key alone"] = c => c.Wishes.Select(w => w.ProfileId).ToListAsync(Stop),
        ["scope asks for less"] = async c => { using (c.GetSource().Require(Consistency.Eventual)) await c.Wishes.ToListAsync(Stop); },
    };

    public static TheoryData<string> PrimaryShapes => [.. OnPrimary.Keys];

    public static TheoryData<string> ReplicaShapes => [.. OnReplica.Keys];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(PrimaryShapes))]
    public async Task An_entity_that_reads_from_the_primary_does_so_anywhere_in_a_query(string shape)
    {
        await using var context = shared.CreateRuleContext();
        await OnPrimary[shape](context);

        var nodes = shared.NodesOf(context);
        nodes.ShouldNotBeEmpty();
        nodes.ShouldAllBe(node => node == "pg-1");
        if (shape.StartsWith("split", StringComparison.Ordinal)) nodes.Length.ShouldBe(2);
    }

    [Theory]
    [MemberData(nameof(ReplicaShapes))]
    public async Task Queries_without_such_an_entity_read_from_replicas(string shape)
    {
        await using var context = shared.CreateRuleContext();
        await OnReplica[shape](context);
        shared.NodesOf(context).ShouldHaveSingleItem().ShouldBeOneOf("pg-2", "pg-3");
    }

    [Fact]
    public async Task A_rule_weaker_than_the_default_applies_if_every_entity_of_the_query_has_one()
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        try
        {
            await using var context = shared.CreateRuleContext();
            await context.Database.ExecuteSqlRawAsync("UPDATE wishes SET kind = kind", Stop);
            await context.PublicProfiles.ToListAsync(Stop);
            shared.NodesOf(context).ShouldHaveSingleItem().ShouldBeOneOf("pg-2", "pg-3");

            await context.Wishes.ToListAsync(Stop);
            await context.PublicProfiles.Where(p => context.Wishes.Any(w => w.ProfileId == p.Id)).ToListAsync(Stop);
            await context.PublicProfiles.WithConsistency(Consistency.ReadYourWrites).ToListAsync(Stop);
            using (shared.Source.Require(Consistency.Session)) await context.PublicProfiles.ToListAsync(Stop);
            shared.NodesOf(context).ShouldBe(["pg-1", "pg-1", "pg-1", "pg-1"]);
        }
        finally
        {
            await ResumeAsync();
        }
    }

    [Fact]
    public async Task A_named_node_overrides_tracking_and_the_rules_of_the_model()
    {
        foreach (var node in shared.Cluster.Nodes)
        {
            await using var context = shared.CreateRuleContext();
            await context.Profiles.OnNode(node.Name).ToListAsync(Stop);
            _ = context.Profiles.AsTracking().OnNode(node.Name).ToList();
            await context.Database.SqlQueryRaw<int>("SELECT 1 AS \"Value\"").OnNode(node.Name).ToListAsync(Stop);
            await context.Wishes.OnNode(node.Name).OnNode("pg-1").OnNode(node.Name).ToListAsync(Stop);
            shared.NodesOf(context).ShouldBe([node.Name, node.Name, node.Name, node.Name]);
        }
    }

    [Fact]
    public async Task A_query_waits_for_its_named_node_to_catch_up()
    {
        await using var source = await shared.ConnectAsync(b => b.Options.ReadWait = TimeSpan.FromSeconds(10));
        await shared.Cluster["pg-2"].PauseReplayAsync(Stop);
        try
        {
            await using var context = shared.CreateRuleContext(source);
            await context.Wishes.ExecuteUpdateAsync(set => set.SetProperty(w => w.Kind, "waited for"), Stop);
            var read = context.Wishes.OnNode("pg-2").Select(w => w.Kind).SingleAsync(Stop);
            for (var i = 0; i < 3; i++) await source.Cluster.Monitor.SampleAsync(1, Stop);
            read.IsCompleted.ShouldBeFalse();

            await shared.Cluster["pg-2"].ResumeReplayAsync(Stop);
            (await read).ShouldBe("waited for");
            shared.NodesOf(context).ShouldBe(["pg-2"]);
        }
        finally
        {
            await ResumeAsync();
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_query_fails_and_never_moves_if_its_named_node_does_not_catch_up(bool isAsync)
    {
        await shared.Cluster["pg-2"].PauseReplayAsync(Stop);
        try
        {
            await using var context = shared.CreateRuleContext();
            await context.Wishes.ExecuteUpdateAsync(set => set.SetProperty(w => w.Kind, "elsewhere"), Stop);
            var query = context.Wishes.OnNode("pg-2");

            var error = isAsync
                ? await Should.ThrowAsync<RoutingException>(() => query.ToListAsync(Stop))
                : Should.Throw<RoutingException>(() => query.ToList());
            error.IsTransient.ShouldBeTrue("a custom execution strategy may retry");
            error.Message.ShouldContain("requires node 'pg-2'");
            error.Message.ShouldContain("bytes short");
            error.Message.ShouldContain("cannot leave 'pg-2'");
            error.Message.ShouldContain("ReadWait");
            shared.NodesOf(context).ShouldBeEmpty();
        }
        finally
        {
            await ResumeAsync();
        }
    }

    [Fact]
    public async Task A_configured_retrying_strategy_is_kept_and_retries_transient_errors()
    {
        await shared.Cluster["pg-2"].PauseReplayAsync(Stop);
        try
        {
            var options = new DbContextOptionsBuilder<StoreContext>()
                .UseTidemark(shared.Source, npgsql => npgsql.EnableRetryOnFailure(1, TimeSpan.FromMilliseconds(1), null));
            await using var context = new StoreContext(options.Options);
            await context.Items.ExecuteUpdateAsync(set => set.SetProperty(i => i.Name, i => i.Name), Stop);
            var error = Should.Throw<RetryLimitExceededException>(() => context.Items.OnNode("pg-2").ToList());
            error.InnerException.ShouldBeOfType<RoutingException>();
        }
        finally
        {
            await ResumeAsync();
        }
    }

    [Fact]
    public async Task One_compiled_query_serves_every_value_of_a_rule()
    {
        await using var context = shared.CreateRuleContext();
        var wishes = context.Wishes.Where(w => w.Id > -77);
        var before = CompilationCount.Instance.Count;
        for (var i = 1; i <= 20; i++) await wishes.WithConsistency(Consistency.BoundedStaleness(TimeSpan.FromMinutes(i))).ToListAsync(Stop);
        CompilationCount.Instance.Count.ShouldBe(before + 1);
        shared.NodesOf(context).ShouldAllBe(node => node != "pg-1");

        await wishes.WithConsistency(Consistency.Strong).ToListAsync(Stop);
        await wishes.WithConsistency(Consistency.Eventual).ToListAsync(Stop);
        await wishes.WithConsistency(Consistency.Strong).ToListAsync(Stop);
        CompilationCount.Instance.Count.ShouldBe(before + 1);
        var nodes = shared.NodesOf(context);
        (nodes[0], nodes[1] == "pg-1", nodes[2]).ShouldBe(("pg-1", false, "pg-1"));

        foreach (var node in shared.Cluster.Nodes) await wishes.WithConsistency(Consistency.Eventual).OnNode(node.Name).ToListAsync(Stop);
        CompilationCount.Instance.Count.ShouldBe(before + 2);
        shared.NodesOf(context).ShouldBe(["pg-1", "pg-2", "pg-3"]);
    }

    [Fact]
    public async Task A_compiled_query_takes_its_rule_as_a_parameter()
    {
        var query = EF.CompileAsyncQuery((RuleContext c, Consistency level) => c.Wishes.WithConsistency(level).Count());
        var there =
            EF.CompileAsyncQuery((RuleContext c, string node) => c.Wishes.WithConsistency(Consistency.Eventual).OnNode(node).Count());
        await using var context = shared.CreateRuleContext();
        await query(context, Consistency.Strong);
        await query(context, Consistency.Eventual);
        await there(context, "pg-3");
        await there(context, "pg-2");
        var nodes = shared.NodesOf(context);
        nodes[0].ShouldBe("pg-1");
        nodes[1].ShouldNotBe("pg-1");
        nodes[2..].ShouldBe(["pg-3", "pg-2"]);
    }

    [Fact]
    public async Task The_parameters_of_a_rule_do_not_reach_the_server_nor_change_those_of_the_query()
    {
        await using var context = shared.CreateRuleContext();
        var name = "ada";
        var plain = context.PublicProfiles.Where(p => p.Name == name).Take(1).ToQueryString();
        context.PublicProfiles.WithConsistency(Consistency.Strong).Where(p => p.Name == name).OnNode("pg-1").Take(1).ToQueryString()
            .ShouldBe(plain);
    }

    [Fact]
    public void Queries_on_anything_else_are_not_changed()
    {
        int[] numbers = [1, 2, 3];
        numbers.AsQueryable().WithConsistency(Consistency.Strong).OnNode("pg-1").ShouldBe(numbers);
        using var plain = new PlainContext();
        plain.Set<Profile>().WithConsistency(Consistency.Strong).Where(p => p.Id == 1).OnNode("pg-9").ToQueryString()
            .ShouldContain("WHERE");
    }

    private async Task ResumeAsync()
    {
        foreach (var replica in shared.Cluster.Replicas) await replica.ResumeReplayAsync(Stop);
        await shared.Cluster.WaitForReplayAsync(Stop);
    }

    private sealed class PlainContext : DbContext
    {
        protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) => optionsBuilder.UseNpgsql("Host=none.invalid");

        protected override void OnModelCreating(ModelBuilder modelBuilder) =>
            modelBuilder.Entity<Profile>().ReadsFromPrimary().Ignore(p => p.Wishes);
    }
}
