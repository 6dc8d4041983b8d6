using System.Data;
using System.Data.Common;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// The question about positions that rides behind a write in its own round trip. A Sync stands between the two: the position is sampled after the
/// commit, since before it is only the start of the commit record.
/// </summary>
internal static class PositionRide
{
    private const string FirstColumn = "tidemark_timeline";

    // The server is answering already.
    private const int AnswerTimeoutMs = 5_000;

    /// <summary>Timeline, flush and insert position, and whether commits of this session wait for the flush.</summary>
    public const string Question =
        "SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int AS " + FirstColumn +
        ", pg_current_wal_flush_lsn(), pg_current_wal_insert_lsn(), current_setting('synchronous_commit')";

    /// <summary>
    /// Reads the row of the answer that the reader stands before. Replicas receive only what is flushed, so a commit that waited for the flush lies at or
    /// before the flush position. One that did not lies at or before the insert position, which may lie in others' unflushed tail: right, but later
    /// than need be.
    /// </summary>
    /// <param name="row">The row.</param>
    /// <param name="setting">The setting the commit ran under, where it differs from the session's.</param>
    public static WriteOutcome Read(DbDataReader row, string? setting = null) => Read(
        (uint)row.GetInt32(0), row.GetFieldValue<NpgsqlLogSequenceNumber>(1), row.GetFieldValue<NpgsqlLogSequenceNumber>(2), setting ?? row.GetString(3));

    /// <inheritdoc cref="Read(DbDataReader, string?)"/>
    public static WriteOutcome Read(uint timeline, NpgsqlLogSequenceNumber flushed, NpgsqlLogSequenceNumber inserted, string setting)
    {
        var insert = new Place(timeline, inserted);
        return new WriteOutcome(setting == "off" ? insert : new Place(timeline, flushed), insert);
    }

    /// <summary>Moves on to the answer, past whatever the caller left unread. Null: it is not there, since the question itself failed.</summary>
    /// <remarks>
    /// Row by row: an error may come behind any of them, even behind the last, when the statement commits; and Npgsql waits for ever where it comes upon one while it
    /// skips rows in the midst of a batch.
    /// </remarks>
    /// <exception cref="PostgresException">The caller's statement failed. What the connection brings next is the answer to the question: <see cref="Break"/> it.</exception>
    public static WriteOutcome? Harvest(DbDataReader reader)
    {
        while (!IsAnswer(reader))
        {
            while (reader.Read()) { }
            try
            {
                if (!reader.NextResult()) return null;
            }
            catch (PostgresException)
            {
                return null;
            }
        }

        return reader.Read() ? Read(reader) : null;
    }

    /// <inheritdoc cref="Harvest"/>
    public static async ValueTask<WriteOutcome?> HarvestAsync(DbDataReader reader, CancellationToken cancellationToken = default)
    {
        while (!IsAnswer(reader))
        {
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) { }
            try
            {
                if (!await reader.NextResultAsync(cancellationToken).ConfigureAwait(false)) return null;
            }
            catch (PostgresException)
            {
                return null;
            }
        }

        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? Read(reader) : null;
    }

    /// <summary>
    /// Ends a connection on which a statement failed while its rows were read: Npgsql leaves the answer to the question unread, and would take it for the answer to
    /// what is sent next. Waiting for a notification, it meets that answer instead, and gives the connection up.
    /// </summary>
    /// <param name="connection">Its reader is closed.</param>
    public static void Break(NpgsqlConnection connection)
    {
        try
        {
            if (connection.State == ConnectionState.Open) connection.Wait(AnswerTimeoutMs);
        }
        catch (NpgsqlException)
        {
            // It is given up.
        }
    }

    /// <inheritdoc cref="Break"/>
    public static async ValueTask BreakAsync(NpgsqlConnection connection)
    {
        try
        {
            if (connection.State == ConnectionState.Open) await connection.WaitAsync(AnswerTimeoutMs, CancellationToken.None).ConfigureAwait(false);
        }
        catch (NpgsqlException)
        {
            // It is given up.
        }
    }

    private static bool IsAnswer(DbDataReader reader) => reader.FieldCount == 4 && reader.GetName(0) == FirstColumn;
}
