using System.Data;
using System.Data.Common;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A write outside a transaction that returns its WAL position in the same round trip. Count and scalar methods read the position
/// themselves; a reader of rows reads it when it closes (<see cref="PiggybackedQuery"/>). A failure of the position query is not a failure
/// of the command.
/// </summary>
internal sealed class PositionedCommand : NpgsqlCommand
{
    private readonly WriteLease _lease;
    private NpgsqlBatchCommandCollection? _sent;
    private bool _isAcknowledged;
    private bool _hasFailed;

    /// <param name="plain">The command. Its text and parameters are moved to this command.</param>
    /// <param name="connection">An open connection.</param>
    /// <param name="lease">The lease that records how the write ended.</param>
    public PositionedCommand(NpgsqlCommand plain, NpgsqlConnection connection, WriteLease lease)
        : base(plain.CommandText, connection)
    {
        _lease = lease;
        BatchText.Move(plain, this);
    }

    /// <summary>Number of rows that the statement changed, or -1 if it does not change rows.</summary>
    public int Affected => _sent![0].RecordsAffected;

    /// <summary>Reads the position from the reader of this command's rows, which is about to close.</summary>
    /// <exception cref="NpgsqlException">The statement failed after the rows that the caller has read.</exception>
    public void ReadPosition(DbDataReader reader)
    {
        try
        {
            End(PiggybackedQuery.ReadAnswer(reader));
        }
        catch
        {
            GiveUp(reader);
            throw;
        }
    }

    /// <inheritdoc cref="ReadPosition"/>
    public async ValueTask ReadPositionAsync(DbDataReader reader, CancellationToken cancellationToken = default)
    {
        try
        {
            End(await PiggybackedQuery.ReadAnswerAsync(reader, cancellationToken).ConfigureAwait(false));
        }
        catch
        {
            await GiveUpAsync(reader).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Closes the reader after reading this command's rows has failed. Also ends the connection, because its next response would not belong
    /// to the next command.
    /// </summary>
    public void GiveUp(DbDataReader reader)
    {
        _hasFailed = true;
        reader.Dispose();
        PiggybackedQuery.Break(Connection!);
        _lease.Failed();
    }

    /// <inheritdoc cref="GiveUp"/>
    public async ValueTask GiveUpAsync(DbDataReader reader)
    {
        _hasFailed = true;
        await reader.DisposeAsync().ConfigureAwait(false);
        await PiggybackedQuery.BreakAsync(Connection!).ConfigureAwait(false);
        _lease.Failed();
    }

    /// <inheritdoc cref="WriteLease.EndOfAnswer"/>
    public void EndOfAnswer() => _lease.EndOfAnswer();

    /// <summary>
    /// Records in the lease an exception that was thrown while reading the results. Returns <see langword="true"/> if the server had
    /// acknowledged the statement before and only the position query failed.
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
        using var batch = Begin();
        try
        {
            using (var reader = batch.ExecuteReader()) ReadPosition(reader);
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

        return Affected;
    }

    public override async Task<int> ExecuteNonQueryAsync(CancellationToken cancellationToken)
    {
        using var batch = Begin();
        try
        {
            var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false)) await ReadPositionAsync(reader, cancellationToken).ConfigureAwait(false);
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

        return Affected;
    }

    public override object? ExecuteScalar()
    {
        using var batch = Begin();
        object? value = null;
        try
        {
            using (var reader = batch.ExecuteReader())
            {
                value = reader.Read() && reader.FieldCount > 0 ? reader.GetValue(0) : null;
                ReadPosition(reader);
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

    public override async Task<object?> ExecuteScalarAsync(CancellationToken cancellationToken)
    {
        using var batch = Begin();
        object? value = null;
        try
        {
            var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                // ExecuteReader returns either with the first row received or without rows, so this call does not fail.
                var hasValue = await reader.ReadAsync(cancellationToken).ConfigureAwait(false) && reader.FieldCount > 0;
                value = hasValue ? reader.GetValue(0) : null;
                await ReadPositionAsync(reader, cancellationToken).ConfigureAwait(false);
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

    protected override DbDataReader ExecuteDbDataReader(CommandBehavior behavior)
    {
        using var batch = Begin();
        try
        {
            return batch.ExecuteReader(behavior & CommandBehavior.CloseConnection);
        }
        catch (Exception failure)
        {
            // Nothing can be returned without a reader, even if the statement was acknowledged. A save detects that case (SavedBatch).
            if (!EndWith(failure)) PiggybackedQuery.ThrowFirst(failure);
            throw;
        }
    }

    protected override async Task<DbDataReader> ExecuteDbDataReaderAsync(CommandBehavior behavior, CancellationToken cancellationToken)
    {
        using var batch = Begin();
        try
        {
            return await batch.ExecuteReaderAsync(behavior & CommandBehavior.CloseConnection, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure)
        {
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

    private void End(in WriteAnswerAtEnd answer)
    {
        _isAcknowledged |= answer.IsAcknowledged;
        if (answer.Position is { } position) _lease.Committed(position);
        else if (answer.IsAcknowledged) _lease.AcknowledgedWithoutPosition();
    }
}
