using System.Data;
using System.Data.Common;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A write outside a transaction, with the position it reached in the same round trip. A count or a scalar brings it along by itself; whoever reads rows
/// harvests it when the reader closes (<see cref="PositionRide"/>).
/// </summary>
internal sealed class PositionedCommand : NpgsqlCommand
{
    private readonly WriteLease _lease;

    /// <param name="plain">The command; its text and parameters move here.</param>
    /// <param name="connection">An open connection.</param>
    /// <param name="lease">Learns the outcome.</param>
    public PositionedCommand(NpgsqlCommand plain, NpgsqlConnection connection, WriteLease lease)
        : base(plain.CommandText, connection)
    {
        _lease = lease;
        BatchText.Move(plain, this);
    }

    /// <summary>Takes the position from the reader of this command's rows, which is about to close.</summary>
    /// <exception cref="PostgresException">The statement failed behind what the caller has read of it.</exception>
    public void Harvest(DbDataReader reader)
    {
        try
        {
            _lease.Outcome = PositionRide.Harvest(reader);
        }
        catch
        {
            GiveUp(reader);
            throw;
        }
    }

    /// <inheritdoc cref="Harvest"/>
    public async ValueTask HarvestAsync(DbDataReader reader, CancellationToken cancellationToken = default)
    {
        try
        {
            _lease.Outcome = await PositionRide.HarvestAsync(reader, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await GiveUpAsync(reader).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Reading this command's rows has failed: closes the reader, and ends the connection, whose next answer is not to what is sent next.</summary>
    public void GiveUp(DbDataReader reader)
    {
        reader.Dispose();
        PositionRide.Break(Connection!);
    }

    /// <inheritdoc cref="GiveUp"/>
    public async ValueTask GiveUpAsync(DbDataReader reader)
    {
        await reader.DisposeAsync().ConfigureAwait(false);
        await PositionRide.BreakAsync(Connection!).ConfigureAwait(false);
    }

    public override int ExecuteNonQuery()
    {
        using var batch = Batch();
        using var reader = batch.ExecuteReader();
        Harvest(reader);
        return Affected(batch);
    }

    public override async Task<int> ExecuteNonQueryAsync(CancellationToken cancellationToken)
    {
        using var batch = Batch();
        var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            await HarvestAsync(reader, cancellationToken).ConfigureAwait(false);
            return Affected(batch);
        }
    }

    public override object? ExecuteScalar()
    {
        using var batch = Batch();
        using var reader = batch.ExecuteReader();
        var value = reader.Read() && reader.FieldCount > 0 ? reader.GetValue(0) : null;
        Harvest(reader);
        return value;
    }

    public override async Task<object?> ExecuteScalarAsync(CancellationToken cancellationToken)
    {
        using var batch = Batch();
        var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            // What ExecuteReader returns has a first row, or none: it does not fail here.
            var value = await reader.ReadAsync(cancellationToken).ConfigureAwait(false) && reader.FieldCount > 0 ? reader.GetValue(0) : null;
            await HarvestAsync(reader, cancellationToken).ConfigureAwait(false);
            return value;
        }
    }

    protected override DbDataReader ExecuteDbDataReader(CommandBehavior behavior)
    {
        using var batch = Batch();
        return batch.ExecuteReader(behavior & CommandBehavior.CloseConnection);
    }

    protected override async Task<DbDataReader> ExecuteDbDataReaderAsync(CommandBehavior behavior, CancellationToken cancellationToken)
    {
        using var batch = Batch();
        return await batch.ExecuteReaderAsync(behavior & CommandBehavior.CloseConnection, cancellationToken).ConfigureAwait(false);
    }

    private NpgsqlBatch Batch() => BatchText.Behind(Connection!, this, PositionRide.Question);

    private static int Affected(NpgsqlBatch batch) => batch.BatchCommands[0].RecordsAffected;
}
