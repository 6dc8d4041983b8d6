using Npgsql;

namespace Tidemark;

/// <summary>
/// Commits the transaction of a connection and learns the place it reached, in one round trip: the setting, COMMIT, a Sync, then the positions. The
/// setting is read before the commit, since SET LOCAL is gone after it; the position after it, since before it is the start of the commit record.
/// </summary>
internal static class PositionedCommit
{
    private const string Setting = "SELECT current_setting('synchronous_commit')";

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
                return PositionRide.Read(reader, setting);
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
            return PositionRide.Read(reader, setting);
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
        batch.BatchCommands.Add(new NpgsqlBatchCommand(PositionRide.Question));
        return batch;
    }
}
