using System.Data;
using System.Data.Common;
using Npgsql;
using NpgsqlTypes;
using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>The answer to the position query after a write, and what a failure means for the write before it.</summary>
public sealed class PiggybackedQueryTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(null)]
    [InlineData("740")]
    public void An_answer_contains_position_epoch_and_open_transaction(string? transaction)
    {
        using var answer = Answer(transaction);
        using var reader = answer.CreateDataReader();
        reader.Read();

        PiggybackedQuery.Read(reader).ShouldBe(new PiggybackedPosition(Position(500, timeline: 2), Run(1), transaction));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_answer_follows_the_rows_that_the_caller_left_unread(bool isAsync)
    {
        using var rows = Rows();
        using var answer = Answer(transaction: null);
        using var reader = new DataTableReader([rows, answer]);
        reader.Read();

        (await ReadAnswerAsync(reader, isAsync)).ShouldBe(WriteAnswerAtEnd.Of(new PiggybackedPosition(Position(500, timeline: 2), Run(1))));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_answer_is_found_after_the_caller_advanced_to_it(bool isAsync)
    {
        using var rows = Rows();
        using var answer = Answer(transaction: null);
        using var reader = new DataTableReader([rows, answer]);
        await reader.NextResultAsync(Cancelled);

        (await ReadAnswerAsync(reader, isAsync)).ShouldBe(WriteAnswerAtEnd.Of(new PiggybackedPosition(Position(500, timeline: 2), Run(1))));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_answer_without_a_row_is_acknowledged_without_a_position(bool isAsync)
    {
        using var rows = Rows();
        using var alike = Rows();
        using var empty = Answer(transaction: null);
        empty.Clear();
        using var failed = new DataTableReader(rows);
        using var unanswered = new DataTableReader([alike, empty]);
        using var closed = new DataTableReader(rows);
        await closed.CloseAsync();

        (await ReadAnswerAsync(failed, isAsync)).ShouldBe(default, "the statement failed");
        (await ReadAnswerAsync(closed, isAsync)).ShouldBe(default);
        (await ReadAnswerAsync(unanswered, isAsync)).ShouldBe(WriteAnswerAtEnd.WithoutPosition);
    }

    [Fact]
    public void The_caller_gets_the_failure_of_the_statement_even_if_the_query_fails_too()
    {
        var (statement, query) =
            (new PostgresException("no", "ERROR", "ERROR", "23505"), new PostgresException("no", "ERROR", "ERROR", "25P02"));
        var both = new NpgsqlException("both", new AggregateException(statement, query));

        PiggybackedQuery.First(both).ShouldBeSameAs(statement);
        Should.Throw<PostgresException>(() => PiggybackedQuery.ThrowFirst(both)).ShouldBeSameAs(statement);
        PiggybackedQuery.First(statement).ShouldBeSameAs(statement);
        Should.NotThrow(() => PiggybackedQuery.ThrowFirst(statement), "the caller rethrows it with its own trace");
    }

    [Fact]
    public async Task A_failure_that_names_no_statement_acknowledges_nothing()
    {
        await using var connection = new NpgsqlConnection("Host=none.invalid");
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(new NpgsqlBatchCommand("UPDATE t SET x = 1"));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(PiggybackedQuery.Sql));

        PiggybackedQuery.IsComplete(batch.BatchCommands[0]).ShouldBeFalse("nothing was received");
        foreach (var failure in (Exception[])[new OperationCanceledException(), new NpgsqlException("time", new TimeoutException()),
            new IOException()])
            PiggybackedQuery.IsAcknowledged(failure, batch.BatchCommands, connection).ShouldBeFalse();
    }

    [Fact]
    public async Task A_connection_that_is_already_closed_is_not_waited_for()
    {
        await using var connection = new NpgsqlConnection("Host=none.invalid");

        await Should.NotThrowAsync(async () => await PiggybackedQuery.BreakAsync(connection, IoMode.Blocking));
        await Should.NotThrowAsync(async () => await PiggybackedQuery.BreakAsync(connection, IoMode.Async));
    }

    [Fact]
    public void Only_server_network_and_cancellation_end_an_exchange()
    {
        PiggybackedQuery.IsOfConnection(new NpgsqlException()).ShouldBeTrue();
        PiggybackedQuery.IsOfConnection(new OperationCanceledException()).ShouldBeTrue();
        PiggybackedQuery.IsOfConnection(new EndOfStreamException()).ShouldBeTrue();
        PiggybackedQuery.IsOfConnection(new InvalidCastException()).ShouldBeFalse("an error of this program does not come from the server");
    }

    private static async Task<WriteAnswerAtEnd> ReadAnswerAsync(DbDataReader reader, bool isAsync) =>
        await PiggybackedQuery.ReadAnswerAsync(reader, isAsync ? IoMode.Async : IoMode.Blocking, Cancelled);

    // The rows have as many columns as the answer.
    private static DataTable Rows()
    {
        var rows = new DataTable();
        foreach (var name in (string[])["id", "a", "b", "c", "d"]) rows.Columns.Add(name, typeof(int));
        rows.Rows.Add(1, 2, 3, 4, 5);
        rows.Rows.Add(6, 7, 8, 9, 10);
        return rows;
    }

    private static DataTable Answer(string? transaction)
    {
        var answer = new DataTable();
        answer.Columns.Add("tidemark_timeline", typeof(int));
        answer.Columns.Add("lsn", typeof(NpgsqlLogSequenceNumber));
        answer.Columns.Add("started", typeof(DateTimeOffset));
        answer.Columns.Add("reset", typeof(DateTimeOffset));
        answer.Columns.Add("transaction", typeof(string));
        answer.Rows.Add(2, At(500), Run(1).StartedAt, Run(1).StatisticsResetAt, transaction);
        return answer;
    }
}
