using System.Data;
using System.Data.Common;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// Asks a replica what it has replayed, in the same round trip as the read that depends on it. The answer comes before the read's snapshot is
/// taken: the two are separated by a Sync, or a session default of repeatable read would give both one snapshot.
/// </summary>
internal static class ReadCheck
{
    private const string Question =
        "SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn(), (SELECT received_tli FROM pg_stat_wal_receiver)";

    /// <summary>Asks in a round trip of its own, for a connection that is handed out.</summary>
    public static async ValueTask<bool> PassesAsync(NpgsqlConnection connection, Place place, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(Question, connection);
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                return Has(reader, place);
            }
        }
    }

    /// <inheritdoc cref="PassesAsync"/>
    public static bool Passes(NpgsqlConnection connection, Place place)
    {
        using var command = new NpgsqlCommand(Question, connection);
        using var reader = command.ExecuteReader();
        reader.Read();
        return Has(reader, place);
    }

    /// <summary>Runs the command behind the check. Null: the replica does not have the place; rows and errors of the command are void then.</summary>
    public static async ValueTask<NpgsqlDataReader?> ExecuteAsync(
        NpgsqlConnection connection, NpgsqlCommand command, Place place, CommandBehavior behavior, CancellationToken cancellationToken)
    {
        if (!CanRide(command, behavior))
        {
            if (!await PassesAsync(connection, place, cancellationToken).ConfigureAwait(false)) return null;
            command.Connection = connection;
            return await command.ExecuteReaderAsync(behavior, cancellationToken).ConfigureAwait(false);
        }

        using var batch = Combine(connection, command);
        var reader = await batch.ExecuteReaderAsync(behavior & CommandBehavior.CloseConnection, cancellationToken).ConfigureAwait(false);
        try
        {
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (Has(reader, place))
            {
                await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
                return reader;
            }
        }
        catch
        {
            await DropAsync(reader).ConfigureAwait(false);
            throw;
        }

        await DropAsync(reader).ConfigureAwait(false);
        return null;
    }

    /// <inheritdoc cref="ExecuteAsync"/>
    public static NpgsqlDataReader? Execute(NpgsqlConnection connection, NpgsqlCommand command, Place place, CommandBehavior behavior)
    {
        if (!CanRide(command, behavior))
        {
            if (!Passes(connection, place)) return null;
            command.Connection = connection;
            return command.ExecuteReader(behavior);
        }

        using var batch = Combine(connection, command);
        var reader = batch.ExecuteReader(behavior & CommandBehavior.CloseConnection);
        try
        {
            reader.Read();
            if (Has(reader, place))
            {
                reader.NextResult();
                return reader;
            }
        }
        catch
        {
            Drop(reader);
            throw;
        }

        Drop(reader);
        return null;
    }

    private static bool Has(DbDataReader answer, Place place) =>
        answer.GetBoolean(0)
        && !answer.IsDBNull(1) && answer.GetFieldValue<NpgsqlLogSequenceNumber>(1) >= place.Position
        && (answer.IsDBNull(2) || answer.GetInt32(2) == place.Timeline);

    /// <summary>A batch takes one statement to a command, and readers that describe instead of running cannot follow another.</summary>
    private static bool CanRide(NpgsqlCommand command, CommandBehavior behavior) =>
        command.CommandType == CommandType.Text
        && (behavior & (CommandBehavior.SchemaOnly | CommandBehavior.KeyInfo)) == 0
        && !command.CommandText.AsSpan().TrimEnd().TrimEnd(';').Contains(';');

    private static NpgsqlBatch Combine(NpgsqlConnection connection, NpgsqlCommand command)
    {
        // A command takes its time-out from the connection string when it has none of its own.
        command.Connection = connection;
        var batch = new NpgsqlBatch(connection) { EnableErrorBarriers = true, Timeout = command.CommandTimeout };
        batch.BatchCommands.Add(new NpgsqlBatchCommand(Question));
        var statement = new NpgsqlBatchCommand(command.CommandText);
        foreach (NpgsqlParameter parameter in command.Parameters) statement.Parameters.Add(parameter.Clone());
        batch.BatchCommands.Add(statement);
        return batch;
    }

    // The command's own error is void with its rows: on a replica that lacks the place it may be about a table that is not there yet.
    private static async ValueTask DropAsync(NpgsqlDataReader reader)
    {
        try
        {
            await reader.DisposeAsync().ConfigureAwait(false);
        }
        catch (PostgresException)
        {
        }
    }

    private static void Drop(NpgsqlDataReader reader)
    {
        try
        {
            reader.Dispose();
        }
        catch (PostgresException)
        {
        }
    }
}
