using System.Data.Common;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// Commits the transaction of a connection and learns the place it reached, in one round trip: the setting, COMMIT, a Sync, then the positions. The
/// setting is read before the commit, since SET LOCAL is gone after it; the position after it, since before it is the start of the commit record.
/// </summary>
internal static class PositionedCommit
{
    private const string Setting = "SELECT current_setting('synchronous_commit')";
    private const string Place =
        "SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int, pg_current_wal_flush_lsn(), pg_current_wal_insert_lsn()";

    /// <summary>Commits. A transaction that had failed before is rolled back by that, as PostgreSQL does.</summary>
    public static async ValueTask<WriteOutcome> ExecuteAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        using var batch = Batch(connection);
        try
        {
            var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                var setting = reader.GetString(0);
                await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                return Read(reader, setting);
            }
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InFailedSqlTransaction)
        {
            return WriteOutcome.RolledBack;
        }
    }

    /// <inheritdoc cref="ExecuteAsync"/>
    public static WriteOutcome Execute(NpgsqlConnection connection)
    {
        using var batch = Batch(connection);
        try
        {
            using var reader = batch.ExecuteReader();
            reader.Read();
            var setting = reader.GetString(0);
            reader.NextResult();
            reader.Read();
            return Read(reader, setting);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InFailedSqlTransaction)
        {
            return WriteOutcome.RolledBack;
        }
    }

    // The barriers make each statement stand alone: a failed setting does not keep COMMIT from ending the transaction.
    private static NpgsqlBatch Batch(NpgsqlConnection connection)
    {
        var batch = new NpgsqlBatch(connection) { EnableErrorBarriers = true };
        batch.BatchCommands.Add(new NpgsqlBatchCommand(Setting));
        batch.BatchCommands.Add(new NpgsqlBatchCommand("COMMIT"));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(Place));
        return batch;
    }

    // Replicas receive only what is flushed, so a commit that waited for the flush lies at or before the flush position. One that did not wait
    // lies at or before the insert position, which may lie in others' unflushed tail: right, but later than need be.
    private static WriteOutcome Read(DbDataReader reader, string setting)
    {
        var timeline = (uint)reader.GetInt32(0);
        var insert = new Place(timeline, WalPages.Usual.BeforeHeader(reader.GetFieldValue<NpgsqlLogSequenceNumber>(2)));
        var flush = new Place(timeline, reader.GetFieldValue<NpgsqlLogSequenceNumber>(1));
        return new WriteOutcome(setting == "off" ? insert : flush, insert);
    }
}
