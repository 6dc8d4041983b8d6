using System.Data;
using System.Data.Common;
using System.Runtime.ExceptionServices;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// The position query that follows a write in its own round trip. A Sync stands between the two: the position is sampled after the commit,
/// since before it is only the start of the commit record. The query only adds knowledge: its failure is never that of the write.
/// </summary>
internal static class PiggybackedQuery
{
    private const string FirstColumn = "tidemark_timeline";
    private const int FirstEpochColumn = 2;
    private const int TransactionColumn = 4;
    private const int Columns = 5;

    // The server is answering already.
    private const int AnswerTimeoutMs = 5_000;

    /// <summary>Timeline, insert position, epoch, and the transaction that is still open.</summary>
    public const string Question =
        "SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int AS " + FirstColumn +
        ", pg_current_wal_insert_lsn(), " + ServerEpoch.Columns + ", pg_current_xact_id_if_assigned()::text";

    /// <summary>
    /// Reads the row of the answer that the reader is positioned on. The insert position is the only bound that holds for every commit: a
    /// function, a trigger or a deferred trigger may have switched <c>synchronous_commit</c> off for its transaction, which nothing shows
    /// afterwards.
    /// </summary>
    public static PiggybackedPosition Read(DbDataReader row) => new(
        new WalPosition((uint)row.GetInt32(0), row.GetFieldValue<NpgsqlLogSequenceNumber>(1)),
        ServerEpoch.Read(row, FirstEpochColumn),
        row.IsDBNull(TransactionColumn) ? null : row.GetString(TransactionColumn));

    /// <summary>Reads the answer, after whatever rows the caller left unread.</summary>
    /// <remarks>
    /// Row by row: an error may follow any of them, even the last, when the statement commits. Npgsql waits for ever if an error arrives
    /// while it skips rows within a batch.
    /// </remarks>
    /// <exception cref="NpgsqlException">The caller's statement failed. The connection's next answer is that to the question: <see
    /// cref="BreakAsync"/> it.</exception>
    public static async ValueTask<WriteAnswerAtEnd> ReadAnswerAsync(DbDataReader reader, IoMode io, CancellationToken cancellationToken)
    {
        if (reader.IsClosed) return default;
        if (!IsAnswer(reader))
        {
            // Read returns false after the Sync of the statement was answered.
            while (await reader.ReadAsync(io, cancellationToken).ConfigureAwait(false)) { }
        }

        try
        {
            // A reader that failed before has no further result. What failed is known to the code that got the exception.
            if (!IsAnswer(reader) && !await reader.NextResultAsync(io, cancellationToken).ConfigureAwait(false)) return default;
            return await reader.ReadAsync(io, cancellationToken).ConfigureAwait(false)
                ? WriteAnswerAtEnd.Of(Read(reader)) : WriteAnswerAtEnd.WithoutPosition;
        }
        catch (Exception e) when (IsOfConnection(e))
        {
            return WriteAnswerAtEnd.WithoutPosition;
        }
    }

    /// <summary>Whether a batch of a statement and the question failed only after the server had acknowledged the statement.</summary>
    /// <param name="failure">What the batch threw.</param>
    /// <param name="sent">The statement and the question, each with a Sync of its own.</param>
    /// <param name="connection">Where they were sent.</param>
    /// <remarks>
    /// CommandComplete arrives before the implicit commit, so only the command that failed counts. Npgsql names it in a server's error. It
    /// does not name it in a cancellation or time-out: if the connection survived, and the statement had failed, the question was answered
    /// all the same.
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

    /// <summary>The server's CommandComplete for the statement was received.</summary>
    public static bool IsComplete(NpgsqlBatchCommand statement) => statement.StatementType != Npgsql.StatementType.Unknown;

    /// <summary>
    /// If statement and question both failed, Npgsql throws one exception for both. The caller gets that of the statement, as without the
    /// question.
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
    /// Ends a connection on which a statement failed while its rows were read: Npgsql leaves the answer to the question unread, and would
    /// take it for the answer to
    /// what is sent next. Waiting for a notification, it meets that answer instead, and gives the connection up.
    /// </summary>
    /// <param name="connection">Its reader is closed.</param>
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
            // Npgsql has given the connection up.
        }
    }

    /// <summary>The server, the network, a time-out or a cancellation ended the exchange.</summary>
    public static bool IsOfConnection(Exception failure) => failure is NpgsqlException or OperationCanceledException or IOException;

    private static bool IsAnswer(DbDataReader reader) => reader.FieldCount == Columns && reader.GetName(0) == FirstColumn;
}
