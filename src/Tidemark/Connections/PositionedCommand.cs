using System.Data;
using System.Data.Common;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A write outside a transaction that returns its WAL position in the same round trip. Count and scalar methods read the position
/// themselves; a reader of rows reads it when it closes (<see cref="PiggybackedQuery"/>). A failure of the position query is not a failure
/// of the command. A command on which the query cannot be piggybacked runs without it, and its position stays pending.
/// </summary>
internal sealed class PositionedCommand : NpgsqlCommand
{
    private readonly WriteLease _lease;
    private NpgsqlBatch? _batch;
    private bool _isAcknowledged;
    private bool _hasFailed;

    /// <param name="connection">A connection that is open when the command runs.</param>
    /// <param name="lease">The lease that records how the write ended.</param>
    public PositionedCommand(NpgsqlConnection connection, WriteLease lease)
        : base(null, connection) => _lease = lease;

    /// <summary>Number of rows that the statement changed, or -1 if it does not change rows.</summary>
    public int Affected => _batch!.BatchCommands[0].RecordsAffected;

    /// <summary>Reads the position from the reader of this command's rows, which is about to close.</summary>
    /// <exception cref="NpgsqlException">The statement failed after the rows that the caller has read.</exception>
    public async ValueTask ReadPositionAsync(DbDataReader reader, IoMode io, CancellationToken cancellationToken = default)
    {
        if (_batch is null) return;
        try
        {
            End(await PiggybackedQuery.ReadAnswerAsync(reader, io, cancellationToken).ConfigureAwait(false));
        }
        catch
        {
            await GiveUpAsync(reader, io).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Closes the reader after reading this command's rows has failed. Also ends the connection, because its next response would not belong
    /// to the next command.
    /// </summary>
    public async ValueTask GiveUpAsync(DbDataReader reader, IoMode io)
    {
        if (_batch is null) return;
        _hasFailed = true;
        await reader.DisposeAsync(io).ConfigureAwait(false);
        await PiggybackedQuery.BreakAsync(Connection!, io).ConfigureAwait(false);
        _lease.Failed();
    }

    /// <inheritdoc cref="WriteLease.EndOfAnswer"/>
    public void EndOfAnswer()
    {
        if (_batch is not null) _lease.EndOfAnswer();
    }

    /// <summary>
    /// Records in the lease an exception that was thrown while reading the results. Returns <see langword="true"/> if the server had
    /// acknowledged the statement before and only the position query failed.
    /// </summary>
    public bool EndWith(Exception failure)
    {
        if (_batch is null) return false;
        _isAcknowledged |= !_hasFailed && PiggybackedQuery.IsAcknowledged(failure, _batch.BatchCommands, Connection!);
        if (_isAcknowledged) _lease.AcknowledgedWithoutPosition();
        else _lease.Failed();
        return _isAcknowledged;
    }

    public override void Cancel()
    {
        if (_batch is { } batch) batch.Cancel();
        else base.Cancel();
    }

    public override int ExecuteNonQuery() => Begin() is not { } batch
        ? base.ExecuteNonQuery()
        : Io.Result(ExecuteAsync(
            batch, readsValue: false, static (command, _) => command.Affected, IoMode.Blocking, CancellationToken.None));

    public override Task<int> ExecuteNonQueryAsync(CancellationToken cancellationToken) => Begin() is not { } batch
        ? base.ExecuteNonQueryAsync(cancellationToken)
        : ExecuteAsync(batch, readsValue: false, static (command, _) => command.Affected, IoMode.Async, cancellationToken).AsTask();

    public override object? ExecuteScalar() => Begin() is not { } batch
        ? base.ExecuteScalar()
        : Io.Result(ExecuteAsync(batch, readsValue: true, static (_, value) => value, IoMode.Blocking, CancellationToken.None));

    public override Task<object?> ExecuteScalarAsync(CancellationToken cancellationToken) => Begin() is not { } batch
        ? base.ExecuteScalarAsync(cancellationToken)
        : ExecuteAsync(batch, readsValue: true, static (_, value) => value, IoMode.Async, cancellationToken).AsTask();

    protected override DbDataReader ExecuteDbDataReader(CommandBehavior behavior) => Begin() is not { } batch
        ? base.ExecuteDbDataReader(behavior)
        : Io.Result(ExecuteReaderAsync(batch, behavior, IoMode.Blocking, CancellationToken.None));

    protected override Task<DbDataReader> ExecuteDbDataReaderAsync(CommandBehavior behavior, CancellationToken cancellationToken) =>
        Begin() is not { } batch
            ? base.ExecuteDbDataReaderAsync(behavior, cancellationToken)
            : ExecuteReaderAsync(batch, behavior, IoMode.Async, cancellationToken).AsTask();

    protected override void Dispose(bool disposing)
    {
        if (disposing) _batch?.Dispose();
        base.Dispose(disposing);
    }

    // One asynchronous method for both kinds of results, because each one that waits costs an allocation.
    private async ValueTask<T> ExecuteAsync<T>(
        NpgsqlBatch batch, bool readsValue, Func<PositionedCommand, object?, T> result, IoMode io, CancellationToken cancellationToken)
    {
        object? value = null;
        try
        {
            var reader = await batch.ExecuteReaderAsync(io, CommandBehavior.Default, cancellationToken).ConfigureAwait(false);
            try
            {
                // The reader that ExecuteReader returns has its first row or no rows, so it does not fail here. It skips a statement that
                // returns no rows, so it may be at the position already.
                if (readsValue && !PiggybackedQuery.IsAnswer(reader)
                    && await reader.ReadAsync(io, cancellationToken).ConfigureAwait(false) && reader.FieldCount > 0)
                    value = reader.GetValue(0);
                await ReadPositionAsync(reader, io, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                await reader.DisposeAsync(io).ConfigureAwait(false);
            }

            EndOfAnswer();
        }
        catch (Exception failure)
        {
            if (!EndWith(failure))
            {
                PiggybackedQuery.ThrowFirst(failure);
                throw;
            }
        }

        return result(this, value);
    }

    private async ValueTask<DbDataReader> ExecuteReaderAsync(
        NpgsqlBatch batch, CommandBehavior behavior, IoMode io, CancellationToken cancellationToken)
    {
        try
        {
            return await batch.ExecuteReaderAsync(io, behavior & CommandBehavior.CloseConnection, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            // Nothing can be returned without a reader, even if the statement was acknowledged. A save detects that case (SavedBatch).
            if (!EndWith(failure)) PiggybackedQuery.ThrowFirst(failure);
            throw;
        }
    }

    /// <summary>Combines the command with the position query. Returns <see langword="null"/> if that is not possible.</summary>
    private NpgsqlBatch? Begin()
    {
        (_isAcknowledged, _hasFailed) = (false, false);
        _batch?.Dispose();
        _batch = null;
        if (!BatchText.CanPiggyback(this)) return null;

        _batch = BatchText.Behind(Connection!, this, PiggybackedQuery.Sql);
        _lease.Begin(this);
        return _batch;
    }

    private void End(in WriteAnswerAtEnd answer)
    {
        _isAcknowledged |= answer.IsAcknowledged;
        if (answer.Position is { } position) _lease.Committed(position);
        else if (answer.IsAcknowledged) _lease.AcknowledgedWithoutPosition();
    }
}
