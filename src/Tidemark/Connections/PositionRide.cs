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

    /// <summary>Moves on to the answer, past whatever the caller left unread. Null: it is not there, since the statement failed.</summary>
    public static WriteOutcome? Harvest(DbDataReader reader)
    {
        try
        {
            while (!IsAnswer(reader))
                if (!reader.NextResult()) return null;
            return reader.Read() ? Read(reader) : null;
        }
        catch (PostgresException)
        {
            return null;
        }
    }

    /// <inheritdoc cref="Harvest"/>
    public static async ValueTask<WriteOutcome?> HarvestAsync(DbDataReader reader, CancellationToken cancellationToken = default)
    {
        try
        {
            while (!IsAnswer(reader))
                if (!await reader.NextResultAsync(cancellationToken).ConfigureAwait(false)) return null;
            return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? Read(reader) : null;
        }
        catch (PostgresException)
        {
            return null;
        }
    }

    private static bool IsAnswer(DbDataReader reader) => reader.FieldCount == 4 && reader.GetName(0) == FirstColumn;
}
