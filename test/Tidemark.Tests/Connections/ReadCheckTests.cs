using System.Data;
using Npgsql;
using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>What is sent to a server with a read, in which round trips, and which rows are accepted.</summary>
public sealed class ReadCheckTests : IAsyncLifetime
{
    private const string Begin = "BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY";
    private const string Question = "check";
    private const string Read = "SELECT 7";

    private static readonly NodeState Node = Of(Primary(200), Replica(100)).Nodes[1];

    private readonly FakeServer _server;
    private readonly NpgsqlConnection _connection;
    private ulong _replayed = 100;
    private bool _readFails;

    public ReadCheckTests()
    {
        _server = new FakeServer(isStandby: true, Answer);
        _connection = new NpgsqlConnection(_server.ConnectionString);
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private string[] Sent =>
        [.. _server.Received.Select(text => text.Contains("pg_is_in_recovery", StringComparison.Ordinal) ? Question : text)];

    public async ValueTask InitializeAsync() => await _connection.OpenAsync(Cancelled);

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_that_is_handed_out_passes_if_it_shows_what_is_needed(bool isAsync)
    {
        (await PassesAsync(isAsync)).ShouldBeTrue();
        _replayed = 99;
        (await PassesAsync(isAsync)).ShouldBeFalse();
        Sent.ShouldBe([Question, "Sync", Question, "Sync"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_read_runs_after_its_check_with_a_snapshot_of_its_own(bool isAsync)
    {
        (await ReadAsync(isAsync)).ShouldBe(7);
        Sent.ShouldBe([Question, "Sync", Read, "Sync"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Behind_a_pooler_a_read_and_its_check_are_one_transaction(bool isAsync)
    {
        (await ReadAsync(isAsync, Node with { IsPooled = true })).ShouldBe(7);
        Sent.ShouldBe([Begin, Question, Read, "COMMIT", "Sync"]);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public async Task Rows_and_errors_of_a_server_that_fails_the_check_are_discarded(bool isAsync, bool readFails)
    {
        (_replayed, _readFails) = (99, readFails);
        (await ReadAsync(isAsync)).ShouldBeNull();

        (_replayed, _readFails) = (100, false);
        (await ReadAsync(isAsync)).ShouldBe(7, "the connection can be used again");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_error_of_a_read_that_passed_its_check_is_the_callers(bool isAsync)
    {
        _readFails = true;
        (await Should.ThrowAsync<PostgresException>(() => ReadAsync(isAsync))).SqlState.ShouldBe("42P01");

        _readFails = false;
        (await ReadAsync(isAsync)).ShouldBe(7, "the connection can be used again");
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public async Task A_read_that_only_describes_is_checked_in_a_round_trip_before_it(bool isAsync, bool isPooled)
    {
        (await ReadAsync(isAsync, Node with { IsPooled = isPooled }, CommandBehavior.SchemaOnly)).ShouldBe(0, "it has no rows");

        string[] before = isPooled ? [Begin, "Sync", Question, "Sync"] : [Question, "Sync"];
        Sent.ShouldBe([.. before, Read, "Sync"]);
    }

    [Fact]
    public async Task A_synchronous_read_records_an_epoch_in_a_separate_round_trip()
    {
        (await ReadAsync(isAsync: false, position: null)).ShouldBe(7);
        Sent.ShouldBe([Question, "Sync", Read, "Sync"]);
    }

    private FakeAnswer Answer(string text) => text switch
    {
        Begin or "COMMIT" => new FakeAnswer(text.Split(' ')[0]),
        Read when _readFails => FakeAnswer.Error("42P01"),
        Read => FakeAnswer.Row(7),
        _ => FakeAnswer.Row(true, _replayed, 1, 1, (long)Ours, Run(1).StartedAt, Run(1).StatisticsResetAt),
    };

    private static ReadProof Proof(NodeState node, WalPosition? position) =>
        new(Cluster: null, node, position, Epoch: null, OnPrimary: false, Ours);

    private async Task<bool> PassesAsync(bool isAsync) =>
        await ReadCheck.PassesAsync(_connection, Proof(Node, Position(100)), isAsync ? IoMode.Async : IoMode.Blocking, Cancelled);

    /// <summary>Returns the value that was read, null if the check failed, or zero without a row.</summary>
    private async Task<int?> ReadAsync(bool isAsync, NodeState? node = null, CommandBehavior behavior = default) =>
        await ReadAsync(isAsync, Position(100), node, behavior);

    private async Task<int?> ReadAsync(bool isAsync, WalPosition? position, NodeState? node = null, CommandBehavior behavior = default)
    {
        await using var command = new NpgsqlCommand(Read);
        var proof = Proof(node ?? Node, position);
        var io = isAsync ? IoMode.Async : IoMode.Blocking;
        await using var batch = ReadCheck.Combine(_connection, command, proof, behavior, io);
        await using var reader = await ReadCheck.ExecuteAsync(_connection, command, batch, proof, behavior, io, Cancelled);
        if (reader is null) return null;
        return await reader.ReadAsync(Cancelled) ? reader.GetInt32(0) : 0;
    }
}
