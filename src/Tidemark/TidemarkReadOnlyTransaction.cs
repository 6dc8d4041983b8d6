using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A read-only transaction, on a replica where one can serve it: with <see cref="IsolationLevel.RepeatableRead"/> everything read in it is
/// of one snapshot.
/// Owns its connection, which goes back to the pool when it is disposed of. Not safe for concurrent use.
/// </summary>
/// <remarks>
/// The node was checked before the transaction began, and stays: nothing in it is moved or repeated. When the node goes down, or cancels a
/// statement that
/// stands in the way of its replay (SQLSTATE 40001), the exception is Npgsql's own; what was read is void, and the whole transaction is the
/// caller's to
/// repeat. What it has shown counts for the session once it is disposed of.
/// </remarks>
public sealed class TidemarkReadOnlyTransaction : IAsyncDisposable, IDisposable
{
    // Npgsql sends BEGIN with the first statement, so both are one round trip, in which a dead connection is found before anything was
    // read. A lone
    // node's reads share the pool of its writes, so "read only" is said here. SET takes no snapshot: that is left to the caller's first
    // statement.
    private const string ReadOnly = "SET TRANSACTION READ ONLY";

    private TidemarkReadOnlyTransaction(NpgsqlConnection connection, NpgsqlTransaction transaction, in RouteDecision decision) =>
        (Connection, Transaction, Decision) = (connection, transaction, decision);

    /// <summary>The connection that the transaction is open on.</summary>
    public NpgsqlConnection Connection { get; }

    /// <summary>The transaction, for libraries that ask for it.</summary>
    public NpgsqlTransaction Transaction { get; }

    /// <summary>Which node it is on, and why.</summary>
    public RouteDecision Decision { get; }

    /// <summary>Ends the transaction and gives the connection back.</summary>
    public ValueTask DisposeAsync() => Connection.DisposeAsync();

    /// <inheritdoc cref="DisposeAsync"/>
    public void Dispose() => Connection.Dispose();

    internal static async ValueTask<TidemarkReadOnlyTransaction> BeginAsync(
        NpgsqlConnection connection, RouteDecision decision, IsolationLevel isolation, IoMode io, CancellationToken cancellationToken)
    {
        var transaction = await connection.BeginTransactionAsync(io, isolation, cancellationToken).ConfigureAwait(false);
        using var command = new NpgsqlCommand(ReadOnly, connection);
        await command.ExecuteNonQueryAsync(io, cancellationToken).ConfigureAwait(false);
        return new TidemarkReadOnlyTransaction(connection, transaction, decision);
    }

    internal static void ThrowIfRefused(IsolationLevel isolation)
    {
        if (isolation == IsolationLevel.Serializable)
            throw new ArgumentException(
                "PostgreSQL has no serializable transactions on replicas (0A000). Ask for RepeatableRead, which is one snapshot, " +
                "or begin a serializable transaction on the primary with OpenWriteConnection.",
                nameof(isolation));
    }
}
