using System.Runtime.CompilerServices;
using System.Transactions;
using Npgsql;
using Npgsql.Internal;

#pragma warning disable NPG9001 // The connector is only looked at: its process id is all that identifies a connection after it was closed.

namespace Tidemark;

/// <summary>
/// Finds the System.Transactions transaction that a physical connection still belongs to after its <see cref="NpgsqlConnection"/> was
/// closed. Npgsql keeps such connections aside until the transaction ends, and only its internals show them. A test fails if those change.
/// </summary>
internal static class EnlistedConnections
{
    /// <summary>The transaction that the connection was kept aside for; <see langword="null"/>: none.</summary>
    /// <param name="source">The pool of the connection.</param>
    /// <param name="process">The server process of the connection.</param>
    public static Transaction? TransactionOf(NpgsqlDataSource source, int process)
    {
        // Asked when a connection closes. The connection was kept aside by this very thread, so an empty list needs no lock.
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
