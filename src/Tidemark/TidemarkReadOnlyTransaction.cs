using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A read-only transaction, on a replica if one can serve it. With <see cref="IsolationLevel.RepeatableRead"/>, all its reads use one
/// snapshot. It owns its connection and returns it to the pool when disposed. Not safe for concurrent use.
/// </summary>
/// <remarks>
/// The node is checked before the transaction begins. After that, nothing in the transaction is moved or retried. The node can go down, or
/// cancel a statement that conflicts with its replay (SQLSTATE 40001). In both cases Npgsql's own exception is thrown, the data read so far
/// is not valid, and the caller must retry the whole transaction. The session includes what the transaction has read once it is disposed.
/// </remarks>
public sealed class TidemarkReadOnlyTransaction : IAsyncDisposable, IDisposable
{
    // Npgsql sends BEGIN with the first statement, so both take one round trip, which detects a dead connection before anything is read. A
    // single node uses one pool for reads and writes, so the transaction is made read-only here. SET takes no snapshot; the caller's first
    // statement does.
    private const string ReadOnly = "SET TRANSACTION READ ONLY";

    private TidemarkReadOnlyTransaction(NpgsqlConnection connection, NpgsqlTransaction transaction, in RouteDecision decision) =>
        (Connection, Transaction, Decision) = (connection, transaction, decision);

    /// <summary>The connection on which the transaction is open.</summary>
    public NpgsqlConnection Connection { get; }

    /// <summary>The underlying transaction, for libraries that need it.</summary>
    public NpgsqlTransaction Transaction { get; }

    /// <summary>The node on which the transaction runs, and why.</summary>
    public RouteDecision Decision { get; }

    /// <summary>Ends the transaction and returns the connection to the pool.</summary>
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
                "PostgreSQL does not support serializable transactions on replicas (0A000). Use RepeatableRead, which reads one " +
                "snapshot, or begin a serializable transaction on the primary with OpenWriteConnection.",
                nameof(isolation));
    }
}
