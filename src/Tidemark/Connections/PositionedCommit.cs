using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Commits the transaction of a connection and learns the position it reached, in one round trip: a probe, COMMIT, a Sync, then the
/// position query. The probe shows a transaction that failed before, whose COMMIT is acknowledged and rolls back. The position is read
/// after the commit, since before it is the start of the commit record.
/// </summary>
internal static class PositionedCommit
{
    private const string Probe = "SELECT 1";

    /// <summary>
    /// Commits, and tells the lease. Returns <see langword="false"/> for a transaction that had failed before: PostgreSQL rolled it back.
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
    /// COMMIT is complete when it is acknowledged: nothing that failed afterwards, the connection included, changes the result. A COMMIT
    /// after a failed probe is acknowledged too, and is a rollback. Returns <see langword="null"/> if the commit itself failed.
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

    // The barriers make each statement stand alone: a failed probe does not keep COMMIT from ending the transaction.
    private static NpgsqlBatch Batch(NpgsqlConnection connection)
    {
        var batch = new NpgsqlBatch(connection) { EnableErrorBarriers = true };
        batch.BatchCommands.Add(new NpgsqlBatchCommand(Probe));
        batch.BatchCommands.Add(new NpgsqlBatchCommand("COMMIT"));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(PiggybackedQuery.Question));
        return batch;
    }
}
