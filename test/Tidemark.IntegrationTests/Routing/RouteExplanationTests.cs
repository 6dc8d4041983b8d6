using Microsoft.EntityFrameworkCore;

namespace Tidemark;

/// <summary>What is reported about a query: where it would go and why, its plan, and that it was slow.</summary>
public sealed class RouteExplanationTests(RuleCluster shared) : IClassFixture<RuleCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_query_explains_its_route_without_sending_anything()
    {
        await using var context = shared.CreateRuleContext();
        context.Wishes.ExplainRoute().Role.ShouldBe(NodeRole.Replica);
        context.Profiles.ExplainRoute()
            .ShouldSatisfyAllConditions(d => d.Node.ShouldBe("pg-1"), d => d.Reason.ShouldBe(RouteReason.EntityRule));
        context.Wishes.AsTracking().ExplainRoute().Reason.ShouldBe(RouteReason.TrackingQuery);
        context.Wishes.WithConsistency(Consistency.Strong).ExplainRoute().Reason.ShouldBe(RouteReason.StrongConsistency);
        context.Wishes.FromSqlRaw("SELECT * FROM wishes").ExplainRoute().Reason.ShouldBe(RouteReason.RawSql);
        context.Wishes.OnNode("pg-3").ExplainRoute()
            .ShouldSatisfyAllConditions(d => d.Node.ShouldBe("pg-3"), d => d.Reason.ShouldBe(RouteReason.NamedNode));
        using (shared.Source.Require(Consistency.Strong)) context.Wishes.ExplainRoute().Reason.ShouldBe(RouteReason.StrongConsistency);
        context.Profiles.ToRouteString().ShouldBe(
            "pg-1 (primary): the model specifies that an entity in the query reads from the primary\n  pg-2  is a replica\n  pg-3  is a "
                + "replica");

        shared.NodesOf(context).ShouldBeEmpty();
        context.Database.GetDbConnection().State.ShouldBe(System.Data.ConnectionState.Closed);
        await using (await context.Database.BeginTransactionAsync(Stop)) context.Wishes.ExplainRoute()
            .Reason.ShouldBe(RouteReason.Transaction);
    }

    [Fact]
    public async Task The_explained_route_of_a_query_is_its_actual_route()
    {
        await using var context = shared.CreateRuleContext();
        foreach (var query in (IQueryable<ProfileWish>[])[context.Wishes, context.Wishes.AsTracking(),
            context.Wishes.WithConsistency(Consistency.Eventual).OnNode("pg-2"), context.Wishes.Where(w => w.Profile!.Name == "ada")])
        {
            var reported = query.ExplainRoute();
            await query.ToListAsync(Stop);
            var node = shared.NodesOf(context).ShouldHaveSingleItem();
            if (reported.Role == NodeRole.Primary || reported.Reason == RouteReason.NamedNode) node.ShouldBe(reported.Node);
            else node.ShouldNotBe("pg-1");
        }
    }

    [Fact]
    public async Task The_plan_comes_from_the_node_that_serves_the_query_with_its_parameters()
    {
        await using var context = shared.CreateRuleContext();
        var name = "ad" + (context.Database.ProviderName!.Length > 0 ? "a" : "");
        foreach (var node in shared.Cluster.Nodes)
        {
            // A session of its own: the next node may not replay what one node has shown within the short wait for a named node.
            await using var asking = shared.CreateRuleContext();
            var plan = await asking.PublicProfiles.Where(p => p.Name == name).OnNode(node.Name).ExplainAnalyzeAsync(Stop);
            plan.Decision.Node.ShouldBe(node.Name);
            plan.Text.ShouldContain("Seq Scan on profiles");
            plan.Text.ShouldContain("(actual ");
            plan.Text.ShouldContain("rows=1");
            plan.Sql.ShouldContain("WHERE");
            plan.ToString().ShouldStartWith(node.Name);
        }

        (await context.Profiles.ExplainAnalyzeAsync(Stop))
            .Decision.ShouldSatisfyAllConditions(d => d.Node.ShouldBe("pg-1"), d => d.Reason.ShouldBe(RouteReason.EntityRule));
        (await context.Wishes.AsTracking().ExplainAnalyzeAsync(Stop)).Decision.Reason.ShouldBe(RouteReason.TrackingQuery);
        await using (await context.Database.BeginTransactionAsync(Stop))
        {
            await context.Database.ExecuteSqlRawAsync("CREATE TEMP TABLE profiles (id int, name text) ON COMMIT DROP", Stop);
            (await context.PublicProfiles.Where(p => p.Name == name).ExplainAnalyzeAsync(Stop)).ShouldSatisfyAllConditions(
                p => p.Decision.Reason.ShouldBe(RouteReason.Transaction), p => p.Text.ShouldContain("(actual "),
                    p => p.Text.ShouldContain("rows=0"));
        }

        // No connection is left open.
        context.Database.GetDbConnection().State.ShouldBe(System.Data.ConnectionState.Closed);
    }

    [Fact]
    public async Task A_query_of_another_context_or_without_a_context_has_no_route()
    {
        Should.Throw<InvalidOperationException>(() => Enumerable.Range(1, 1).AsQueryable().ToRouteString())
            .Message.ShouldContain("does not belong to a context that uses Tidemark");
        await Should.ThrowAsync<InvalidOperationException>(() => Enumerable.Range(1, 1).AsQueryable().ExplainAnalyzeAsync(Stop));
    }

    [Fact]
    public async Task Reads_over_the_threshold_are_logged_with_node_reason_and_text_and_no_parameter()
    {
        var log = new RecordedLog();
        await using var source = await shared.ConnectAsync(b =>
        {
            b.LoggerFactory = log;
            b.Options.SlowReadThreshold = TimeSpan.FromMilliseconds(50);
        });
        await using (var quick = source.CreateReadCommand("SELECT 'quick'")) await quick.ExecuteScalarAsync(Stop);
        Slow(log).ShouldBeEmpty();

        await using (var slow = source.CreateReadCommand("SELECT 'by command', pg_sleep(0.1) WHERE @p = 'secret-3'"))
        {
            var parameter = slow.CreateParameter();
            (parameter.ParameterName, parameter.Value) = ("p", "secret-3");
            slow.Parameters.Add(parameter);
            await slow.ExecuteScalarAsync(Stop);
            slow.ExecuteScalar();
        }

        var reported = Slow(log);
        reported.Length.ShouldBe(2);
        foreach (var text in reported)
        {
            text.ShouldMatch(@"^Slow read: \d+ ms on node pg-[23] \(.*\)\. SQL: SELECT 'by command'");
            text.ShouldNotContain("'secret-3' ");
        }

        await using var context = shared.CreateRuleContext(source);
        await context.Wishes.AsNoTracking().CountAsync(Stop);
        Slow(log).Length.ShouldBe(2);
        await context.Database.SqlQueryRaw<string>("SELECT pg_sleep(0.1)::text AS \"Value\"").ToListAsync(Stop);
        await context.Wishes.OnNode("pg-2").FromSleepAsync();
        Slow(log)[2].ShouldContain("on node pg-1");
        Slow(log)[2].ShouldContain("(raw SQL may write). SQL: SELECT pg_sleep");
        Slow(log)[3].ShouldContain("on node pg-2");
        Slow(log)[3].ShouldContain("it was requested by name");
    }

    private static string[] Slow(RecordedLog log) => [.. log.Entries.Where(e => e.Event == "SlowRead").Select(e => e.Text)];
}
