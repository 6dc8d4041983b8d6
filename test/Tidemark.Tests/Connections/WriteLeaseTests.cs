using Npgsql;
using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class WriteLeaseTests
{
    private readonly ConsistencySession _session = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_connection_to_the_primary_is_an_open_write_until_closed_and_then_pending()
    {
        await using var server = new FakeServer();
        await using var source = SourceOn(server);
        await using var connection = await OpenAsync(source);

        _session.HasMoved.ShouldBeTrue();
        Pending(source).ShouldBeNull("an open write has no end after which a sample could be taken");
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

        Pending(source).ShouldBeNull("no sample shows whether the server finished the commit");
        _session.Require(ConsistencyDemands.Written).PrimaryBecause.ShouldBe(RouteReason.WrittenPositionUnknown);
    }

    [Fact]
    public async Task A_primary_that_reports_itself_as_a_standby_gets_no_write()
    {
        await using var server = new FakeServer(isStandby: true);
        await using var source = SourceOn(server);

        var error = await Should.ThrowAsync<RoutingException>(OpenAsync(source));
        error.Message.ShouldStartWith("'pg-1' was chosen for this write, but reports that it is a standby. Nothing was sent.");
        _session.HasMoved.ShouldBeFalse();
    }

    [Fact]
    public async Task A_write_stays_in_doubt_on_a_connection_created_before_the_first_probe()
    {
        await using var server = new FakeServer();
        var answer = new TaskCompletionSource<ProbeAnswer>();
        await using var source = SourceOn(server, (_, _) => answer.Task);
        await using var connection = source.Cluster.CreateWrite(0, _session);
        answer.SetResult(Primary());
        await source.Cluster.Monitor.FirstRoundAsync(Cancelled);
        await connection.OpenAsync(Cancelled);
        await using var commit = new NpgsqlCommand("COMMIT", connection);
        await Should.ThrowAsync<NpgsqlException>(commit.ExecuteNonQueryAsync(Cancelled));
        await connection.CloseAsync();

        Pending(source).ShouldBeNull();
    }

    [Fact]
    public async Task A_write_in_doubt_belongs_to_the_epoch_in_which_its_connection_was_opened()
    {
        await using var server = new FakeServer();
        var answer = Primary();
        await using var source = SourceOn(server, (_, _) => Task.FromResult(answer));
        await source.Cluster.Monitor.FirstRoundAsync(Cancelled);
        await using var connection = source.Cluster.CreateWrite(0, _session);
        answer = answer with { Epoch = Run(2) };
        await source.Cluster.Monitor.SampleAsync(0, Cancelled);
        await connection.OpenAsync(Cancelled);
        await using var commit = new NpgsqlCommand("COMMIT", connection);
        await Should.ThrowAsync<NpgsqlException>(commit.ExecuteNonQueryAsync(Cancelled));
        await connection.CloseAsync();

        Pending(source).ShouldBeNull("the server of that epoch may still commit");
    }

    [Fact]
    public async Task A_commit_around_a_crash_is_pending_because_its_epoch_is_unknown()
    {
        await using var server = new FakeServer();
        var answer = Primary();
        await using var source = SourceOn(server, (_, _) => Task.FromResult(answer));
        await using var connection = await OpenAsync(source);
        answer = Primary(120) with { Epoch = Run(2) };
        await source.Cluster.Monitor.SampleAsync(0, Cancelled);
        WriteLease.Of(connection)!.Committed(new PiggybackedPosition(Position(500)));
        await connection.CloseAsync();

        _session.Written.ShouldBeNull();
        var snapshot = source.Cluster.Monitor.Snapshot;
        _session.Resolve(Pending(source)!.Value, snapshot.Primary!, snapshot).ShouldNotBeNull().IsCertain.ShouldBeFalse();
    }

    [Fact]
    public async Task A_commit_with_a_piggybacked_position_leaves_nothing_pending()
    {
        await using var server = new FakeServer();
        await using var source = SourceOn(server);
        await using var connection = await OpenAsync(source);
        WriteLease.Of(connection)!.Committed(new PiggybackedPosition(Position(500)));
        await connection.CloseAsync();

        (_session.Written, _session.Observed).ShouldBe((Position(500), Position(500)));
        Pending(source).ShouldBeNull();
    }

    [Fact]
    public async Task A_connection_that_breaks_after_the_acknowledgement_leaves_nothing_in_doubt()
    {
        await using var server = new FakeServer();
        await using var source = SourceOn(server);
        await using var connection = await OpenAsync(source);
        var lease = WriteLease.Of(connection)!;
        lease.Begin(piggybacked: null);
        await BreakAsync(connection);
        _session.IsInDoubt.ShouldBeFalse("only the code that sent it knows whether it was acknowledged");
        Pending(source).ShouldBeNull("the write is still open");
        lease.AcknowledgedWithoutPosition();

        _session.IsInDoubt.ShouldBeFalse();
        Pending(source).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_connection_that_breaks_before_the_acknowledgement_leaves_the_write_in_doubt()
    {
        await using var server = new FakeServer();
        await using var source = SourceOn(server);
        await using var connection = await OpenAsync(source);
        var lease = WriteLease.Of(connection)!;
        lease.Begin(piggybacked: null);
        await BreakAsync(connection);
        lease.Failed();

        _session.IsInDoubt.ShouldBeTrue();
    }

    [Fact]
    public async Task A_position_of_another_epoch_than_the_snapshots_is_pending()
    {
        await using var server = new FakeServer();
        await using var source = SourceOn(server, (_, _) => Task.FromResult(Primary() with { Epoch = Run(1) }));
        foreach (var isKnown in (bool[])[true, false])
        {
            await using var connection = await OpenAsync(source);
            WriteLease.Of(connection)!.Committed(new PiggybackedPosition(Position(500), isKnown ? Run(1) : Run(2)));
            await connection.CloseAsync();
            _session.IsUnknown.ShouldBe(!isKnown);
        }
    }

    [Fact]
    public async Task A_position_does_not_cover_what_is_sent_after_it()
    {
        await using var server = new FakeServer();
        await using var source = SourceOn(server);
        await using var connection = await OpenAsync(source);
        WriteLease.Of(connection)!.Committed(new PiggybackedPosition(Position(500)));
        WriteLease.Of(connection)!.Forget();
        await connection.CloseAsync();

        _session.Written.ShouldBeNull();
        Pending(source).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_write_in_an_open_transaction_is_resolved_once_the_transaction_has_ended()
    {
        await using var server = new FakeServer();
        await using var source = SourceOn(server);
        await using var connection = await OpenAsync(source);
        WriteLease.Of(connection)!.Committed(new PiggybackedPosition(Position(500), OpenTransaction: "740"));
        await connection.CloseAsync();
        var primary = source.Cluster.Monitor.Snapshot.Primary!;

        Pending(source).ShouldBeNull("no sample shows where it will be committed");
        _session.OpenTransactions(primary).ShouldBe(["740"]);
        _session.Settle(primary, ended: ["739"]);
        Pending(source).ShouldBeNull();
        _session.Settle(primary, ended: ["740"]);
        Pending(source).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_transaction_that_was_rolled_back_is_an_observation_but_not_a_write()
    {
        await using var server = new FakeServer();
        await using var source = SourceOn(server);
        await using var connection = await OpenAsync(source);
        WriteLease.Of(connection)!.RolledBack();
        await connection.CloseAsync();

        _session.Require(ConsistencyDemands.Written).ShouldBe(default);
        _session.Require(ConsistencyDemands.Observed).PrimaryBecause.ShouldBe(RouteReason.ObservedPositionUnknown);
    }

    [Theory]
    [InlineData("superseded")]
    [InlineData("rival")]
    [InlineData("foreign")]
    [InlineData("demoted")]
    public async Task A_connection_is_not_opened_on_a_node_that_is_not_the_primary_now(string what)
    {
        await using var server = new FakeServer();
        var answers = new[] { Primary(), Replica() };
        var builder = new TidemarkDataSourceBuilder { ProbeNodes = (index, _) => Task.FromResult(answers[index]) };
        await using var source = builder.AddNode("pg-1", server.ConnectionString).AddNode("pg-2", server.ConnectionString).Build();
        await source.Cluster.Monitor.FirstRoundAsync(Cancelled);
        await using var connection = source.Cluster.CreateWrite(0, () => _session);
        (answers[0], answers[1]) = what switch
        {
            "superseded" => (Primary(), Primary(timeline: 2)),
            "rival" => (Primary(), Primary()),
            "foreign" => (Primary() with { SystemIdentifier = 77 }, Primary()),
            _ => (Replica(), Primary()),
        };
        await source.Cluster.Monitor.SampleAsync(1, Cancelled);
        await source.Cluster.Monitor.SampleAsync(0, Cancelled);

        var refused = await Should.ThrowAsync<RoutingException>(() => connection.OpenAsync(Cancelled));
        refused.Message.ShouldStartWith("The connection leads to 'pg-1', which ");
        refused.Message.ShouldContain("Nothing was sent.");
        refused.Message.ShouldContain("Create a new connection");
        connection.State.ShouldBe(System.Data.ConnectionState.Closed);
        _session.HasMoved.ShouldBeFalse();
    }

    [Fact]
    public async Task The_session_is_found_at_each_opening()
    {
        await using var server = new FakeServer();
        await using var source = SourceOn(server);
        await source.Cluster.Monitor.FirstRoundAsync(Cancelled);
        await using var connection = source.CreateConnection();
        foreach (var _ in Enumerable.Range(0, 2))
        {
            using var session = source.BeginSession();
            await connection.OpenAsync(Cancelled);
            session.HasMoved.ShouldBeTrue();
            session.IsUnknown.ShouldBeTrue();
            await connection.CloseAsync();
        }
    }

    [Fact]
    public async Task A_session_that_joins_an_open_connection_has_a_write_under_way()
    {
        await using var server = new FakeServer();
        await using var source = SourceOn(server);
        await using var connection = await OpenAsync(source);
        using var joined = new ConsistencySession();
        WriteLease.Of(connection)!.Join(joined);
        WriteLease.Of(connection)!.Join(joined);

        joined.Require(ConsistencyDemands.Written).PrimaryBecause.ShouldBe(RouteReason.WrittenPositionUnknown);
        joined.Require(ConsistencyDemands.Observed).PrimaryBecause.ShouldBe(RouteReason.ObservedPositionUnknown);
        WriteLease.Of(connection)!.Committed(new PiggybackedPosition(Position(500)));
        await connection.CloseAsync();
        (joined.Written, joined.Observed).ShouldBe((Position(500), Position(500)));
        (_session.Written, _session.Observed).ShouldBe((Position(500), Position(500)));
    }

    [Fact]
    public async Task A_connection_opened_while_writes_are_ignored_counts_when_the_scope_ends()
    {
        await using var server = new FakeServer();
        await using var source = SourceOn(server);
        await source.Cluster.Monitor.FirstRoundAsync(Cancelled);
        await using var connection = source.Cluster.CreateWrite(0, _session);
        using (_session.IgnoreWrites())
        {
            using (_session.IgnoreWrites()) await connection.OpenAsync(Cancelled);
            _session.HasMoved.ShouldBeFalse();
        }

        _session.HasMoved.ShouldBeTrue();
        await connection.CloseAsync();
        _session.IsUnknown.ShouldBeTrue();
    }

    private static async Task BreakAsync(NpgsqlConnection connection)
    {
        await using var commit = new NpgsqlCommand("COMMIT", connection);
        await Should.ThrowAsync<NpgsqlException>(commit.ExecuteNonQueryAsync(Cancelled));
        await connection.CloseAsync();
    }

    private static TidemarkDataSource SourceOn(FakeServer server, ProbeNode? probe = null)
    {
        var builder = new TidemarkDataSourceBuilder { ProbeNodes = probe ?? ((_, _) => Task.FromResult(Primary())) };
        return builder.AddNode("pg-1", server.ConnectionString).Build();
    }

    private long? Pending(TidemarkDataSource source) =>
        _session.NeedsSample(ConsistencyDemands.Written, source.Cluster.Monitor.Snapshot, mayStay: true);

    private async Task<NpgsqlConnection> OpenAsync(TidemarkDataSource source)
    {
        await source.Cluster.Monitor.FirstRoundAsync(Cancelled);
        var connection = source.Cluster.Create(source.DecideWrite(session: null), forWriting: true, _session, out _);
        await connection.OpenAsync(Cancelled);
        return connection;
    }
}
