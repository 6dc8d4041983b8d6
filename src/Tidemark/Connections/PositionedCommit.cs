using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Commits the transaction of a connection and reads the resulting WAL position, in one round trip: a test statement, COMMIT, a Sync, then
/// the position query.
/// </summary>
/// <remarks>
/// The test statement detects a transaction that has already failed: PostgreSQL acknowledges the COMMIT of such a transaction, but rolls
/// back. The position is sampled after the commit, because before the commit it is only the start of the commit record.
/// </remarks>
internal static class PositionedCommit
{
    private const string Probe = "SELECT 1";

    /// <summary>
    /// Commits and records the outcome in the lease. Returns <see langword="false"/> if the transaction had failed before and PostgreSQL
    /// rolled it back.
    /// </summary>
    /// <exception cref="NpgsqlException">The server did not acknowledge the commit.</exception>
    public static async ValueTask<bool> ExecuteAsync(
        NpgsqlConnection connection, WriteLease lease, IoMode io, CancellationToken cancellationToken)
    {
        using var batch = Batch(connection);
        lease.Begin(piggybacked: null);
        try
        {
            var reader = await batch.ExecuteReaderAsync(io, CommandBehavior.Default, cancellationToken).ConfigureAwait(false);
            try
            {
                await reader.NextResultAsync(io, cancellationToken).ConfigureAwait(false);
                await reader.ReadAsync(io, cancellationToken).ConfigureAwait(false);
                lease.Committed(PiggybackedQuery.Read(reader));
            }
            finally
            {
                await reader.DisposeAsync(io).ConfigureAwait(false);
            }

            lease.EndOfAnswer();
        }
        catch (Exception failure)
        {
            if (EndWith(failure, batch.BatchCommands, lease) is { } isCommitted) return isCommitted;
            PiggybackedQuery.ThrowFirst(failure);
            throw;
        }

        return true;
    }

    /// <summary>
    /// Evaluates a failure. An acknowledged COMMIT is complete: no later failure changes its result, not even that of the connection. A
    /// COMMIT after a failed test statement is acknowledged too, but is a rollback. Returns <see langword="null"/> if the commit itself
    /// failed.
    /// </summary>
    private static bool? EndWith(Exception failure, NpgsqlBatchCommandCollection sent, WriteLease lease)
    {
        if (PiggybackedQuery.IsComplete(sent[0]) && PiggybackedQuery.IsComplete(sent[1]))
        {
            lease.AcknowledgedWithoutPosition();
            return true;
        }

        if (PiggybackedQuery.First(failure) is PostgresException { SqlState: PostgresErrorCodes.InFailedSqlTransaction })
        {
            lease.RolledBack();
            return false;
        }

        lease.Failed();
        return null;
    }

    // The barriers separate the statements: a failed test statement does not prevent COMMIT from ending the transaction.
    private static NpgsqlBatch Batch(NpgsqlConnection connection)
    {
        var batch = new NpgsqlBatch(connection) { EnableErrorBarriers = true };
        batch.BatchCommands.Add(new NpgsqlBatchCommand(Probe));
        batch.BatchCommands.Add(new NpgsqlBatchCommand("COMMIT"));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(PiggybackedQuery.Sql));
        return batch;
    }
}
