using System.Data;
using System.Data.Common;
using System.Runtime.ExceptionServices;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// The position query that is sent after a write in the same round trip. A Sync separates the two, so that the position is sampled after
/// the commit; before the commit it is only the start of the commit record. A failure of the query is never reported as a failure of the
/// write.
/// </summary>
internal static class PiggybackedQuery
{
    private const string FirstColumn = "tidemark_timeline";
    private const int FirstEpochColumn = 2;
    private const int TransactionColumn = 4;
    private const int Columns = 5;

    // Short, because the server has already begun to respond.
    private const int AnswerTimeoutMs = 5_000;

    /// <summary>Selects the timeline, the insert position, the epoch, and the transaction that is still open.</summary>
    public const string Sql =
        "SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int AS " + FirstColumn +
        ", pg_current_wal_insert_lsn(), " + ServerEpoch.Columns + ", pg_current_xact_id_if_assigned()::text";

    /// <summary>
    /// Reads the current row of the reader. The insert position is the only bound that holds for every commit: a function or a (deferred)
    /// trigger may have set <c>synchronous_commit</c> to off for its transaction, which cannot be detected afterwards.
    /// </summary>
    public static PiggybackedPosition Read(DbDataReader row) => new(
        new WalPosition((uint)row.GetInt32(0), row.GetFieldValue<NpgsqlLogSequenceNumber>(1)),
        ServerEpoch.Read(row, FirstEpochColumn),
        row.IsDBNull(TransactionColumn) ? null : row.GetString(TransactionColumn));

    /// <summary>Reads the result of the position query, after skipping the rows that the caller left unread.</summary>
    /// <remarks>
    /// Reads row by row, because an error may follow any row, even the last one, when the statement commits. Npgsql waits forever if an
    /// error arrives while it skips rows within a batch.
    /// </remarks>
    /// <exception cref="NpgsqlException">
    /// The caller's statement failed. The next response on the connection belongs to the position query: call <see cref="BreakAsync"/>.
    /// </exception>
    public static async ValueTask<WriteAnswerAtEnd> ReadAnswerAsync(DbDataReader reader, IoMode io, CancellationToken cancellationToken)
    {
        if (reader.IsClosed) return default;
        if (!IsAnswer(reader))
        {
            // Read returns false only after the response to the statement's Sync.
            while (await reader.ReadAsync(io, cancellationToken).ConfigureAwait(false)) { }
        }

        try
        {
            // A reader that failed before has no further result. Its caller has the exception already.
            if (!IsAnswer(reader) && !await reader.NextResultAsync(io, cancellationToken).ConfigureAwait(false)) return default;
            return await reader.ReadAsync(io, cancellationToken).ConfigureAwait(false)
                ? WriteAnswerAtEnd.Of(Read(reader)) : WriteAnswerAtEnd.WithoutPosition;
        }
        catch (Exception e) when (IsOfConnection(e))
        {
            return WriteAnswerAtEnd.WithoutPosition;
        }
    }

    /// <summary>
    /// Returns whether a batch of a statement and the position query failed only after the server had acknowledged the statement.
    /// </summary>
    /// <param name="failure">The exception that the batch threw.</param>
    /// <param name="sent">The statement and the position query, each with its own Sync.</param>
    /// <param name="connection">The connection of the batch.</param>
    /// <remarks>
    /// CommandComplete arrives before the implicit commit, so only the command that failed counts. Npgsql names it in a server error, but
    /// not in a cancellation or timeout. In that case, if the connection survived and the statement had failed, the position query was
    /// answered all the same.
    /// </remarks>
    public static bool IsAcknowledged(Exception failure, NpgsqlBatchCommandCollection sent, NpgsqlConnection connection)
    {
        var (statement, question) = (sent[0], sent[1]);
        return failure switch
        {
            PostgresException { BatchCommand: { } failed } => ReferenceEquals(failed, question),
            OperationCanceledException or NpgsqlException { InnerException: TimeoutException } =>
                connection.State == ConnectionState.Open && IsComplete(statement) && !IsComplete(question),
            _ => false,
        };
    }

    /// <summary>Returns whether the server's CommandComplete for the statement was received.</summary>
    public static bool IsComplete(NpgsqlBatchCommand statement) => statement.StatementType != Npgsql.StatementType.Unknown;

    /// <summary>
    /// Throws the statement's own exception if statement and position query both failed. Npgsql throws a single exception for both.
    /// </summary>
    public static void ThrowFirst(Exception failure)
    {
        var first = First(failure);
        if (!ReferenceEquals(first, failure)) ExceptionDispatchInfo.Throw(first);
    }

    /// <inheritdoc cref="ThrowFirst"/>
    public static Exception First(Exception failure) =>
        failure is NpgsqlException { InnerException: AggregateException { InnerExceptions: [var first, ..] } } ? first : failure;

    /// <summary>
    /// Ends a connection on which a statement failed while its rows were read. Npgsql leaves the response to the position query unread, and
    /// would take it for the response to the next command. When Npgsql waits for a notification, it receives that response instead and
    /// closes the connection.
    /// </summary>
    /// <param name="connection">The connection, whose reader is closed.</param>
    /// <param name="io">How to wait.</param>
    public static async ValueTask BreakAsync(NpgsqlConnection connection, IoMode io)
    {
        if (connection.State != ConnectionState.Open) return;
        try
        {
            if (io == IoMode.Async) await connection.WaitAsync(AnswerTimeoutMs, CancellationToken.None).ConfigureAwait(false);
            else connection.Wait(AnswerTimeoutMs);
        }
        catch (NpgsqlException)
        {
            // The connection is closed, as intended.
        }
    }

    /// <summary>Returns whether the server, the network, a timeout or a cancellation ended the exchange.</summary>
    public static bool IsOfConnection(Exception failure) => failure is NpgsqlException or OperationCanceledException or IOException;

    /// <summary>Returns whether the reader is at the result of the position query, and not at one of the caller's statement.</summary>
    public static bool IsAnswer(DbDataReader reader) => reader.FieldCount == Columns && reader.GetName(0) == FirstColumn;
}
