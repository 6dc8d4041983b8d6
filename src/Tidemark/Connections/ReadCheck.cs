using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Has a server show what it is and has, in the same round trip as the read that depends on it. The answer comes before the read's snapshot
/// is
/// taken: the two are separated by a Sync, or a session default of repeatable read would give both one snapshot. Behind a pooler each of
/// the two could
/// run on another server connection, so there they run in one transaction, read-only and read committed, in which each statement has a
/// snapshot of its own.
/// </summary>
internal static class ReadCheck
{
    private const string Begin = "BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY";

    /// <summary>Asks in a round trip of its own, for a connection that is handed out.</summary>
    public static async ValueTask<bool> PassesAsync(
        NpgsqlConnection connection, ReadProof proof, IoMode io, CancellationToken cancellationToken)
    {
        var sentAt = proof.Now;
        using var command = new NpgsqlCommand(proof.Question, connection);
        var reader = await command.ExecuteReaderAsync(io, CommandBehavior.Default, cancellationToken).ConfigureAwait(false);
        try
        {
            await reader.ReadAsync(io, cancellationToken).ConfigureAwait(false);
            return proof.Take(connection.PostgresParameters, CheckAnswer.Read(reader), sentAt);
        }
        finally
        {
            await reader.DisposeAsync(io).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Runs the command after the check. Returns <see langword="null"/> if the node lacks what the read needs; the rows and errors of the
    /// command are void then.
    /// </summary>
    public static async ValueTask<NpgsqlDataReader?> ExecuteAsync(NpgsqlConnection connection, NpgsqlCommand command, ReadProof proof,
        CommandBehavior behavior, IoMode io, CancellationToken cancellationToken)
    {
        if (!CanPiggyback(command, behavior) || IsApart(proof, io))
        {
            if (proof.Node.IsPooled) await BeginAsync(connection, io, cancellationToken).ConfigureAwait(false);
            if (!await PassesAsync(connection, proof, io, cancellationToken).ConfigureAwait(false)) return null;
            command.Connection = connection;
            return await command.ExecuteReaderAsync(io, behavior, cancellationToken).ConfigureAwait(false);
        }

        var sentAt = proof.Now;
        using var batch = Batch(connection, command, proof);
        var reader = await batch.ExecuteReaderAsync(io, behavior & CommandBehavior.CloseConnection, cancellationToken)
            .ConfigureAwait(false);
        try
        {
            await reader.ReadAsync(io, cancellationToken).ConfigureAwait(false);
            if (proof.Take(connection.PostgresParameters, CheckAnswer.Read(reader), sentAt))
            {
                await reader.NextResultAsync(io, cancellationToken).ConfigureAwait(false);
                return reader;
            }
        }
        catch
        {
            await DropAsync(reader, io).ConfigureAwait(false);
            throw;
        }

        await DropAsync(reader, io).ConfigureAwait(false);
        return null;
    }

    // The driver sends the later statements of a synchronous batch from the thread pool, which callers may have exhausted. A connection
    // that only discovers its epoch, once in its lifetime, does so in a round trip of its own.
    private static bool IsApart(ReadProof proof, IoMode io) => io == IoMode.Blocking && !proof.IsRequired && !proof.Node.IsPooled;

    private static NpgsqlBatch Batch(NpgsqlConnection connection, NpgsqlCommand command, ReadProof proof)
    {
        var batch = BatchText.Before(connection, proof.Question, command);
        if (!proof.Node.IsPooled) return batch;

        // Without a Sync in between nothing can come between the statements, and an error ends them all.
        batch.EnableErrorBarriers = false;
        batch.BatchCommands.Insert(0, new NpgsqlBatchCommand(Begin));
        batch.BatchCommands.Add(new NpgsqlBatchCommand("COMMIT"));
        return batch;
    }

    // The transaction pins the server connection until the reader closes the connection, which rolls it back: it has only read.
    private static async ValueTask BeginAsync(NpgsqlConnection connection, IoMode io, CancellationToken cancellationToken)
    {
        using var begin = new NpgsqlCommand(Begin, connection);
        await begin.ExecuteNonQueryAsync(io, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Readers that describe instead of running cannot follow another statement.</summary>
    private static bool CanPiggyback(NpgsqlCommand command, CommandBehavior behavior) =>
        (behavior & (CommandBehavior.SchemaOnly | CommandBehavior.KeyInfo)) == 0 && BatchText.CanPiggyback(command);

    // The command's own error is void with its rows: on a replica that lacks the place it may be about a table that is not there yet.
    private static async ValueTask DropAsync(NpgsqlDataReader reader, IoMode io)
    {
        try
        {
            await reader.DisposeAsync(io).ConfigureAwait(false);
        }
        catch (PostgresException)
        {
        }
    }
}
