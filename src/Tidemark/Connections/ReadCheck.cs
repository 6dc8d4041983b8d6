using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>Makes a server prove its role, epoch and position in the same round trip as the read that depends on them.</summary>
/// <remarks>
/// <para>
/// The check must be answered before the read's snapshot is taken. A Sync separates the two: otherwise a session default of repeatable read
/// would give both the same snapshot.
/// </para>
/// <para>
/// Behind a pooler, the two could run on different server connections. There they run in one transaction, read-only and read committed, in
/// which each statement has its own snapshot.
/// </para>
/// </remarks>
internal static class ReadCheck
{
    private const string Begin = "BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY";

    /// <summary>Checks in a separate round trip, for a connection that is handed out.</summary>
    public static async ValueTask<bool> PassesAsync(
        NpgsqlConnection connection, ReadProof proof, IoMode io, CancellationToken cancellationToken)
    {
        var sentAt = proof.Now;
        using var command = new NpgsqlCommand(proof.Sql, connection);
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
    /// Combines the check with the command. Returns <see langword="null"/> if the check must take a separate round trip. The caller
    /// disposes of the batch after the rows have been read, because a batch that was disposed of cannot be cancelled.
    /// </summary>
    public static NpgsqlBatch? Combine(
        NpgsqlConnection connection, NpgsqlCommand command, ReadProof proof, CommandBehavior behavior, IoMode io) =>
        CanPiggyback(command, behavior) && !IsApart(proof, io) ? Batch(connection, command, proof) : null;

    /// <summary>
    /// Runs the command after the check. Returns <see langword="null"/> if the check failed; rows and errors of the command are then
    /// discarded.
    /// </summary>
    /// <param name="connection">An open connection to the node.</param>
    /// <param name="command">The command.</param>
    /// <param name="batch">What <see cref="Combine"/> returned for them.</param>
    /// <param name="proof">What the node must prove.</param>
    /// <param name="behavior">The behavior of the reader.</param>
    /// <param name="io">How to wait.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    public static async ValueTask<NpgsqlDataReader?> ExecuteAsync(NpgsqlConnection connection, NpgsqlCommand command, NpgsqlBatch? batch,
        ReadProof proof, CommandBehavior behavior, IoMode io, CancellationToken cancellationToken)
    {
        if (batch is null)
        {
            if (proof.Node.IsPooled) await BeginAsync(connection, io, cancellationToken).ConfigureAwait(false);
            if (!await PassesAsync(connection, proof, io, cancellationToken).ConfigureAwait(false)) return null;
            command.Connection = connection;
            return await command.ExecuteReaderAsync(io, behavior, cancellationToken).ConfigureAwait(false);
        }

        var sentAt = proof.Now;
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

    // The driver sends the later statements of a synchronous batch from the thread pool, which callers may have exhausted. A check that is
    // only needed to record the epoch of a connection, once per connection, therefore takes a separate round trip.
    private static bool IsApart(ReadProof proof, IoMode io) => io == IoMode.Blocking && !proof.IsRequired && !proof.Node.IsPooled;

    private static NpgsqlBatch Batch(NpgsqlConnection connection, NpgsqlCommand command, ReadProof proof)
    {
        var batch = BatchText.Before(connection, proof.Sql, command);
        if (!proof.Node.IsPooled) return batch;

        // Without a Sync in between, the statements stay together, and an error ends all of them.
        batch.EnableErrorBarriers = false;
        batch.BatchCommands.Insert(0, new NpgsqlBatchCommand(Begin));
        batch.BatchCommands.Add(new NpgsqlBatchCommand("COMMIT"));
        return batch;
    }

    // The transaction pins the server connection until the reader closes the connection. That rolls the transaction back, which is safe
    // because it has only read.
    private static async ValueTask BeginAsync(NpgsqlConnection connection, IoMode io, CancellationToken cancellationToken)
    {
        using var begin = new NpgsqlCommand(Begin, connection);
        await begin.ExecuteNonQueryAsync(io, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Returns whether the check can be piggybacked. Readers that describe instead of executing cannot follow another statement.
    /// </summary>
    private static bool CanPiggyback(NpgsqlCommand command, CommandBehavior behavior) =>
        (behavior & (CommandBehavior.SchemaOnly | CommandBehavior.KeyInfo)) == 0 && BatchText.CanPiggyback(command);

    // The command's own error is discarded with its rows: on a replica that lacks the position, it may concern a table that does not exist
    // there yet.
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
