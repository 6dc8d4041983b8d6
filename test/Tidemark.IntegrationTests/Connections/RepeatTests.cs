using Microsoft.EntityFrameworkCore;
using Npgsql;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>A statement whose answer is lost is sent again only if the connection was certainly read-only.</summary>
public sealed class RepeatTests(OneServerAndReplica shared) : IClassFixture<OneServerAndReplica>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("a command")]
    [InlineData("a query")]
    [InlineData("a tracking query")]
    public async Task A_hidden_write_on_a_lone_node_runs_once_if_its_response_is_lost(string by)
    {
        await using var relay = new Relay(shared.Cluster.Primary.Port);
        var builder = new TidemarkDataSourceBuilder();
        await using var source = builder.AddNode("pg-1", Through(relay, shared.Cluster.Primary)).Build();
        var before = await NextAsync();
        relay.LosesAnswerTo = "draw(";

        using var session = source.BeginSession();
        await Should.ThrowAsync<Exception>(() => DrawAsync(source, by));
        (await NextAsync() - before).ShouldBe(2);
        if (by != "a tracking query") session.HasMoved.ShouldBeFalse("or every GET of a lone node would set a cookie");
    }

    [Theory]
    [InlineData("a command")]
    [InlineData("a query")]
    [InlineData("a tracking query")]
    public async Task A_hidden_write_on_a_pool_that_lost_its_startup_options_runs_once_and_counts(string by)
    {
        // As behind a pooler that ignores options: the node's connections for reading can write.
        await using var relay = new Relay(shared.Cluster.Primary.Port);
        var builder = new TidemarkDataSourceBuilder();
        builder.AddNode("pg-1", Through(relay, shared.Cluster.Primary)).AddNode("pg-2", shared.Cluster.Replicas[0].ConnectionString);
        builder.AddToConnectionStrings("No Reset On Close=true");
        await using var source = builder.ConfigureNodes(static node => node.UsePhysicalConnectionInitializer(Unset, UnsetAsync)).Build();
        await source.Cluster.Monitor.FirstRoundAsync(Stop);
        using var session = source.BeginSession();
        using var strong = source.Require(Consistency.Strong);
        await DrawAsync(source, by);
        session.HasMoved.ShouldBeTrue();

        var before = await NextAsync();
        relay.LosesAnswerTo = "draw(";
        await Should.ThrowAsync<Exception>(() => DrawAsync(source, by));
        (await NextAsync() - before).ShouldBe(2);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_read_whose_response_is_lost_on_a_read_only_connection_is_sent_again(bool tracks)
    {
        await using var relay = new Relay(shared.Cluster.Primary.Port);
        var builder = new TidemarkDataSourceBuilder();
        builder.AddNode("pg-1", Through(relay, shared.Cluster.Primary)).AddNode("pg-2", shared.Cluster.Replicas[0].ConnectionString);
        await using var source = builder.Build();
        await using var context = new MirrorContext(new DbContextOptionsBuilder().UseTidemark(source).Options);
        relay.LosesAnswerTo = "FROM items";

        if (tracks) (await context.Items.Where(i => i.Id == 1).ToListAsync(Stop)).Count.ShouldBe(1);
        else (await context.Items.AsNoTracking().WithConsistency(Consistency.Strong).Where(i => i.Id == 1).ToListAsync(Stop))
            .Count.ShouldBe(1);
        relay.LosesAnswerTo.ShouldBeNull();
    }

    [Fact]
    public async Task A_tracking_query_that_writes_runs_once_and_is_a_write_of_the_session()
    {
        await using var source = await shared.ConnectAsync();
        using var session = source.BeginSession();
        var before = await NextAsync();
        await DrawAsync(source, "a tracking query");
        (await NextAsync() - before).ShouldBe(2);
        session.HasMoved.ShouldBeTrue();
        session.IsUnknown.ShouldBeFalse("its position was piggybacked");
    }

    private Task<long> NextAsync() => shared.Cluster.Primary.QueryAsync<long>("SELECT nextval('tickets')");

    private static string Through(Relay relay, LocalNode node) =>
        new NpgsqlConnectionStringBuilder(node.ConnectionString) { Port = relay.Port }.ConnectionString;

    private static async Task DrawAsync(TidemarkDataSource source, string by)
    {
        await using var context = new MirrorContext(new DbContextOptionsBuilder().UseTidemark(source).Options);
        switch (by)
        {
            case "a command":
                await using (var command = source.CreateReadCommand("SELECT draw(1)")) await command.ExecuteScalarAsync(Stop);
                break;
            case "a query":
                await context.Items.Where(i => i.Id == 1).Select(i => MirrorContext.Draw(i.Id)).ToListAsync(Stop);
                break;
            default:
                await context.Items.Where(i => i.Id == 1 && MirrorContext.Draw(i.Id) > 0).ToListAsync(Stop);
                break;
        }
    }

    private static void Unset(NpgsqlConnection connection)
    {
        using var command = new NpgsqlCommand("SET default_transaction_read_only = off", connection);
        command.ExecuteNonQuery();
    }

    private static async Task UnsetAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand("SET default_transaction_read_only = off", connection);
        await command.ExecuteNonQueryAsync();
    }
}
