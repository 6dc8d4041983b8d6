using System.Data;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>Begins a context's read-only transaction (<see cref="ReadOnlyTransaction"/>) on a node that meets a requirement.</summary>
internal static class ReadOnlyTransactionOpening
{
    // Sent with BEGIN in one round trip. SET does not take a snapshot. The first query does.
    private const string ReadOnly = "SET TRANSACTION READ ONLY";

    public static IDbContextTransaction Begin(ContextRouting routing, IRelationalConnection main, in QueryRequest ask,
        IsolationLevel isolation)
    {
        ThrowIfBusy(routing, main);
        return routing.Open(ask, (node, decision, io, stop) =>
            StartAsync(routing, main, new ReadOnlyTransaction(main, node, decision), isolation, io, stop));
    }

    public static async Task<IDbContextTransaction> BeginAsync(
        ContextRouting routing, IRelationalConnection main, QueryRequest ask, IsolationLevel isolation, CancellationToken cancellationToken)
    {
        ThrowIfBusy(routing, main);
        return await routing.OpenAsync(ask, (node, decision, io, stop) =>
            StartAsync(routing, main, new ReadOnlyTransaction(main, node, decision), isolation, io, stop), cancellationToken)
                .ConfigureAwait(false);
    }

    private static async ValueTask<IDbContextTransaction> StartAsync(
        ContextRouting routing, IRelationalConnection main, ReadOnlyTransaction readOnly, IsolationLevel isolation, IoMode io,
        CancellationToken cancellationToken)
    {
        try
        {
            readOnly.Begin();
            routing.State.Enter(readOnly);
            var transaction = io == IoMode.Async
                ? await main.BeginTransactionAsync(isolation, cancellationToken).ConfigureAwait(false) : main.BeginTransaction(isolation);
            using var command = new NpgsqlCommand(ReadOnly, (NpgsqlConnection)main.DbConnection);
            if (io == IoMode.Async) await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            else command.ExecuteNonQuery();
            return transaction;
        }
        catch
        {
            if (io == IoMode.Async && main.CurrentTransaction is { } begun) await begun.DisposeAsync().ConfigureAwait(false);
            else main.CurrentTransaction?.Dispose();
            if (io == IoMode.Async) await readOnly.EndAsync().ConfigureAwait(false);
            else readOnly.End();
            throw;
        }
    }

    private static void ThrowIfBusy(ContextRouting routing, IRelationalConnection main)
    {
        if (routing.Access.MayBeLeft(main)) return;
        if (MainConnection.IsIdle(main))
            throw new InvalidOperationException(
                "A read-only transaction must run on a node of the cluster, but the context uses its own connection or connection "
                    + "string, which may lead to any server. Begin an ordinary transaction, or use another context.");
        throw new InvalidOperationException(
            "A read-only transaction cannot begin while the context is in a transaction or its connection is open, because it uses a "
                + "separate connection to a replica. End the transaction and close the connection first, or use another context.");
    }
}
