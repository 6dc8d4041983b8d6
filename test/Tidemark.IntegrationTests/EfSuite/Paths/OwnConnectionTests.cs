using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Tidemark.EfSuite;

/// <summary>
/// A context that was given its own connection rejects what requires a node of the cluster, and runs everything else on that connection.
/// </summary>
public sealed class OwnConnectionTests(JournalCluster shared) : IClassFixture<JournalCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_read_only_transaction_leaves_the_context_on_its_own_connection(bool sync)
    {
        await using var own = new NpgsqlConnection(shared.Cluster.Primary.ConnectionString);
        await using var context = Create();
        context.Database.SetDbConnection(own);
        var refused = sync
            ? Should.Throw<InvalidOperationException>(() => context.Database.BeginReadOnlyTransaction())
            : await Should.ThrowAsync<InvalidOperationException>(() =>
                context.Database.BeginReadOnlyTransactionAsync(cancellationToken: Stop));
        refused.Message.ShouldContain("its own connection or connection string");
        context.Database.GetDbConnection().ShouldBeSameAs(own);
    }

    [Fact]
    public async Task A_query_that_names_its_node_is_refused_there_and_not_run_elsewhere()
    {
        await using var context = Create();
        context.Database.SetConnectionString(shared.Cluster.Primary.ConnectionString + ";Application Name=own");
        var refused =
            await Should.ThrowAsync<InvalidOperationException>(() => context.Notes.AsNoTracking().OnNode("pg-1").ToListAsync(Stop));
        refused.Message.ShouldBe(
            "The query names node 'pg-1', but the context uses its own connection or connection string, and all its queries run there. "
                + "Remove OnNode, or use another context.");
    }

    [Fact]
    public async Task A_query_is_explained_where_it_runs()
    {
        await using var context = Create();
        context.Database.SetConnectionString(shared.Cluster.Primary.ConnectionString + ";Application Name=own");
        var notes = context.Notes.AsNoTracking().Where(n => JournalContext.Setting("application_name", true) == "own").Select(n => n.Id);
        var plan = await notes.ExplainAnalyzeAsync(Stop);
        plan.Decision.Reason.ShouldBe(RouteReason.OwnConnection);
        plan.Text.ShouldContain("rows=5");
        context.Database.GetDbConnection().State.ShouldBe(System.Data.ConnectionState.Closed);
    }

    [Fact]
    public async Task A_query_on_a_connection_of_its_own_names_no_node()
    {
        await using var own = new NpgsqlConnection(shared.Cluster["pg-2"].ConnectionString);
        await using var context = Create();
        context.Notes.Select(n => n.Id).ExplainRoute().Role.ShouldBe(NodeRole.Replica);
        context.Database.SetDbConnection(own);
        var reported = context.Notes.Select(n => n.Id).ExplainRoute();
        (reported.Node, reported.Role, reported.Reason).ShouldBe((null, NodeRole.Unknown, RouteReason.OwnConnection));
        reported.ToString().ShouldBe("it runs on a connection that does not belong to the cluster");
        reported.Rejected.ShouldBeEmpty();
        (await context.Notes.Select(n => JournalContext.ServerPort()).Distinct().ToListAsync(Stop)).ShouldBe([shared.Cluster["pg-2"].Port]);

        await own.OpenAsync(Stop);
        await using (await context.Database.BeginTransactionAsync(Stop)) context.Notes.ExplainRoute()
            .Reason.ShouldBe(RouteReason.OwnConnection);
    }

    [Fact]
    public async Task A_connection_string_of_its_own_may_lead_to_a_standby()
    {
        await using var context = Create();
        _ = context.Database.GetDbConnection();
        context.Database.SetConnectionString(shared.Cluster["pg-2"].ConnectionString + ";Application Name=own");
        var ports = await context.Notes.Select(n => JournalContext.ServerPort()).Distinct().ToListAsync(Stop);
        ports.ShouldBe([shared.Cluster["pg-2"].Port]);
    }

    private JournalContext Create() => new(shared.RoutedOptions(new Sent(), null));
}
