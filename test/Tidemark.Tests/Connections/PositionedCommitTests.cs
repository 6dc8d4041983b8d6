using Npgsql;
using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>A COMMIT that returns its position in the same round trip, and what the session records.</summary>
public sealed class PositionedCommitTests : IAsyncLifetime
{
    private readonly ConsistencySession _session = new();
    private readonly FakeServer _server;
    private readonly TidemarkDataSource _source;
    private NpgsqlConnection _connection = null!;
    private string? _commitError;
    private string? _probeError;
    private string? _queryError;

    public PositionedCommitTests()
    {
        _server = new FakeServer(answer: Answer);
        _source = new TidemarkDataSourceBuilder { ProbeNodes = (_, _) => Task.FromResult(Primary()) }.AddNode("pg-1",
            $"{_server.ConnectionString};Pooling=true").Build();
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _source.Cluster.Monitor.FirstRoundAsync(Cancelled);
        _connection = _source.Cluster.Create(_source.DecideWrite(session: null), forWriting: true, _session, out _);
        await _connection.OpenAsync(Cancelled);
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        _session.Dispose();
        await _source.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_commit_returns_its_position_and_leaves_nothing_pending(bool isAsync)
    {
        (await CommitAsync(isAsync)).ShouldBeTrue();
        await _connection.CloseAsync();

        (_session.Written, _session.Observed).ShouldBe((Position(500), Position(500)));
        _server.Received.ShouldBe(["SELECT 1", "Sync", "COMMIT", "Sync", PiggybackedQuery.Sql, "Sync"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_transaction_that_had_failed_before_is_rolled_back_and_wrote_nothing(bool isAsync)
    {
        _probeError = "25P02";
        (await CommitAsync(isAsync)).ShouldBeFalse();
        await _connection.CloseAsync();

        _session.Require(ConsistencyDemands.Written).ShouldBe(default);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_commit_whose_position_query_fails_is_acknowledged_and_pending(bool isAsync)
    {
        _queryError = "53200";
        (await CommitAsync(isAsync)).ShouldBeTrue();
        await _connection.CloseAsync();

        (_session.Written, _session.IsUnknown, _session.IsInDoubt).ShouldBe((null, true, false));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_commit_that_fails_has_its_own_error_and_is_not_acknowledged(bool isAsync)
    {
        (_commitError, _queryError) = ("40001", "53200");

        (await Should.ThrowAsync<PostgresException>(() => CommitAsync(isAsync))).SqlState.ShouldBe("40001");
        await _connection.CloseAsync();
        _session.Written.ShouldBeNull();
    }

    private FakeAnswer Answer(string text)
    {
        var error = text switch { "SELECT 1" => _probeError, "COMMIT" => _commitError, _ => _queryError };
        return error is not null ? FakeAnswer.Error(error)
            : text == "SELECT 1" ? FakeAnswer.Row(1)
            : text == "COMMIT" ? new FakeAnswer("COMMIT")
            : FakeAnswer.Row(1, 500UL, Run(1).StartedAt, Run(1).StatisticsResetAt, null).Named("tidemark_timeline");
    }

    private async Task<bool> CommitAsync(bool isAsync)
    {
        var lease = WriteLease.Of(_connection)!;
        return await PositionedCommit.ExecuteAsync(_connection, lease, isAsync ? IoMode.Async : IoMode.Blocking, Cancelled);
    }
}
