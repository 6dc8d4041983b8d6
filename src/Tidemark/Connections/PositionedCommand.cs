using System.Data;
using System.Data.Common;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A write outside a transaction, with the position it reached in the same round trip. A count or a scalar brings it along by itself; the
/// reader of rows harvests it when it closes (<see cref="PiggybackedQuery"/>). A failure of the position query is not a failure of the
/// command.
/// </summary>
internal sealed class PositionedCommand : NpgsqlCommand
{
    private readonly WriteLease _lease;
    private NpgsqlBatchCommandCollection? _sent;
    private bool _isAcknowledged;
    private bool _hasFailed;

    /// <param name="plain">The command; its text and parameters move here.</param>
    /// <param name="connection">An open connection.</param>
    /// <param name="lease">Learns how the write ended.</param>
    public PositionedCommand(NpgsqlCommand plain, NpgsqlConnection connection, WriteLease lease)
        : base(plain.CommandText, connection)
    {
        _lease = lease;
        BatchText.Move(plain, this);
    }

    /// <summary>The rows the statement changed; -1 if it is not one that changes rows.</summary>
    public int Affected => _sent![0].RecordsAffected;

    /// <summary>Takes the position from the reader of this command's rows, which is about to close.</summary>
    /// <exception cref="NpgsqlException">The statement failed after the rows that the caller has read of it.</exception>
    public async ValueTask ReadPositionAsync(DbDataReader reader, IoMode io, CancellationToken cancellationToken = default)
    {
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
    /// Reading this command's rows has failed: closes the reader, and ends the connection, whose next answer is not to what is sent next.
    /// </summary>
    public async ValueTask GiveUpAsync(DbDataReader reader, IoMode io)
    {
        _hasFailed = true;
        await reader.DisposeAsync(io).ConfigureAwait(false);
        await PiggybackedQuery.BreakAsync(Connection!, io).ConfigureAwait(false);
        _lease.Failed();
    }

    /// <inheritdoc cref="WriteLease.EndOfAnswer"/>
    public void EndOfAnswer() => _lease.EndOfAnswer();

    /// <summary>
    /// The lease learns of a failure that reading the results threw. True: the server had acknowledged the statement before, and only the
    /// position query failed.
    /// </summary>
    public bool EndWith(Exception failure)
    {
        if (_sent is null) return false;
        _isAcknowledged |= !_hasFailed && PiggybackedQuery.IsAcknowledged(failure, _sent, Connection!);
        if (_isAcknowledged) _lease.AcknowledgedWithoutPosition();
        else _lease.Failed();
        return _isAcknowledged;
    }

    public override int ExecuteNonQuery()
    {
        Io.Result(ExecuteAsync(readsValue: false, IoMode.Blocking, CancellationToken.None));
        return Affected;
    }

    public override async Task<int> ExecuteNonQueryAsync(CancellationToken cancellationToken)
    {
        await ExecuteAsync(readsValue: false, IoMode.Async, cancellationToken).ConfigureAwait(false);
        return Affected;
    }

    public override object? ExecuteScalar() => Io.Result(ExecuteAsync(readsValue: true, IoMode.Blocking, CancellationToken.None));

    public override Task<object?> ExecuteScalarAsync(CancellationToken cancellationToken) =>
        ExecuteAsync(readsValue: true, IoMode.Async, cancellationToken).AsTask();

    protected override DbDataReader ExecuteDbDataReader(CommandBehavior behavior) =>
        Io.Result(ExecuteReaderAsync(behavior, IoMode.Blocking, CancellationToken.None));

    protected override Task<DbDataReader> ExecuteDbDataReaderAsync(CommandBehavior behavior, CancellationToken cancellationToken) =>
        ExecuteReaderAsync(behavior, IoMode.Async, cancellationToken).AsTask();

    private async ValueTask<object?> ExecuteAsync(bool readsValue, IoMode io, CancellationToken cancellationToken)
    {
        using var batch = Begin();
        object? value = null;
        try
        {
            var reader = await batch.ExecuteReaderAsync(io, CommandBehavior.Default, cancellationToken).ConfigureAwait(false);
            try
            {
                // The reader that ExecuteReader returns has its first row or no rows, so it does not fail here.
                if (readsValue && await reader.ReadAsync(io, cancellationToken).ConfigureAwait(false) && reader.FieldCount > 0)
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

        return value;
    }

    private async ValueTask<DbDataReader> ExecuteReaderAsync(CommandBehavior behavior, IoMode io, CancellationToken cancellationToken)
    {
        using var batch = Begin();
        try
        {
            return await batch.ExecuteReaderAsync(io, behavior & CommandBehavior.CloseConnection, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            // Without a reader there is no result to return, even if the statement was acknowledged. A save finds that out (SavedBatch).
            if (!EndWith(failure)) PiggybackedQuery.ThrowFirst(failure);
            throw;
        }
    }

    private NpgsqlBatch Begin()
    {
        (_isAcknowledged, _hasFailed) = (false, false);
        var batch = BatchText.Behind(Connection!, this, PiggybackedQuery.Question);
        _sent = batch.BatchCommands;
        _lease.Begin(this);
        return batch;
    }

    private void End(in WriteAnswerAtEnd harvested)
    {
        _isAcknowledged |= harvested.IsAcknowledged;
        if (harvested.Position is { } position) _lease.Committed(position);
        else if (harvested.IsAcknowledged) _lease.AcknowledgedWithoutPosition();
    }
}
