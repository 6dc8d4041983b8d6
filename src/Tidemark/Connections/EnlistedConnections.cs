using System.Runtime.CompilerServices;
using System.Transactions;
using Npgsql;
using Npgsql.Internal;

#pragma warning disable NPG9001 // Only reads the connector: its process ID is all that identifies a connection after it was closed.

namespace Tidemark;

/// <summary>
/// Finds the System.Transactions transaction that a physical connection still belongs to after its <see cref="NpgsqlConnection"/> was
/// closed. Npgsql sets such connections aside until the transaction ends, and only its internals expose them (<c>OpenTransactionTests</c>).
/// </summary>
internal static class EnlistedConnections
{
    private static volatile bool _isHidden;

    /// <summary>
    /// Returns the transaction that the connection is set aside for, or <see langword="null"/> if none exists. If a version of Npgsql
    /// keeps these connections elsewhere, returns the ambient transaction instead.
    /// </summary>
    /// <param name="source">The pool of the connection.</param>
    /// <param name="process">The server process of the connection.</param>
    public static Transaction? TransactionOf(NpgsqlDataSource source, int process)
    {
        if (_isHidden) return Transaction.Current;
        try
        {
            return Find(source, process);
        }
        catch (MissingMemberException)
        {
            _isHidden = true;
            return Transaction.Current;
        }
    }

    private static Transaction? Find(NpgsqlDataSource source, int process)
    {
        // This runs when a connection closes. The same thread has set the connection aside, so an empty list needs no lock.
        var pending = Pending(source);
        if (pending.Count == 0) return null;
        lock (pending)
        {
            foreach (var (transaction, connectors) in pending)
                foreach (var connector in connectors)
                    if (Process(connector) == process) return transaction;
        }

        return null;
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_pendingEnlistedConnectors")]
    private static extern ref Dictionary<Transaction, List<NpgsqlConnector>> Pending(NpgsqlDataSource source);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_BackendProcessId")]
    private static extern int Process(NpgsqlConnector connector);
}
