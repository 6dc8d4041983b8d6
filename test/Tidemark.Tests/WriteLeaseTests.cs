using Npgsql;
using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class WriteLeaseTests
{
    private readonly ConsistencySession _session = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_connection_to_the_primary_is_a_write_under_way_until_it_is_closed_and_pending_from_then()
    {
        await using var server = new FakeServer();
        await using var source = SourceOn(server);
        await using var connection = await OpenAsync(source);

        _session.HasMoved.ShouldBeTrue();
        Pending(source).ShouldBeNull("a write under way has no end that a sample could be taken after");
        await connection.CloseAsync();
        Pending(source).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_connection_that_breaks_leaves_the_write_in_doubt()
    {
        await using var server = new FakeServer();
        await using var source = SourceOn(server);
        await using var connection = await OpenAsync(source);
        await using var commit = new NpgsqlCommand("COMMIT", connection);
        await Should.ThrowAsync<NpgsqlException>(commit.ExecuteNonQueryAsync(Cancelled));
        await connection.DisposeAsync();

        Pending(source).ShouldBeNull("no sample can tell whether the server finished the commit");
        _session.Require(ConsistencyDemands.Written).PrimaryBecause.ShouldBe(RouteReason.WrittenPositionUnknown);
    }

    [Fact]
    public async Task A_primary_that_greets_as_a_standby_gets_no_write()
    {
        await using var server = new FakeServer(isStandby: true);
        await using var source = SourceOn(server);

        var error = await Should.ThrowAsync<RoutingException>(OpenAsync(source));
        error.Message.ShouldStartWith("'pg-1' was to take this write, but answers as a standby. Nothing was sent.");
        _session.HasMoved.ShouldBeFalse();
    }

    private static TidemarkDataSource SourceOn(FakeServer server)
    {
        var builder = new TidemarkDataSourceBuilder { AskNodes = (_, _) => Task.FromResult(Primary()) };
        return builder.AddNode("pg-1", server.ConnectionString).Build();
    }

    private long? Pending(TidemarkDataSource source) => _session.NeedsSample(ConsistencyDemands.Written, source.Cluster.Monitor.Snapshot, mayStay: true);

    private async Task<NpgsqlConnection> OpenAsync(TidemarkDataSource source)
    {
        await source.Cluster.Monitor.FirstRoundAsync(Cancelled);
        var connection = source.Cluster.Create(source.DecideWrite(), forWriting: true, _session, out _);
        await connection.OpenAsync(Cancelled);
        return connection;
    }
}
