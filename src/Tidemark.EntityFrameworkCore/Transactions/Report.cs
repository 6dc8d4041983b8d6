using System.Data;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A context's read-only transaction. While it lasts, the context's main connection leads to the transaction's node, so that every query
/// runs there in one snapshot. Afterwards, the main connection leads to the primary again. Under a mirror, it is a transaction on the only
/// connection.
/// </summary>
/// <param name="routing">The context's routing.</param>
/// <param name="main">The context's main connection.</param>
/// <param name="node">The connection to the node; <see langword="null"/> under a mirror.</param>
/// <param name="decision">Where the transaction runs, and why there.</param>
internal sealed class Report(ContextRouting routing, IRelationalConnection main, NodeConnection? node, RouteDecision decision)
{
    // Sent with BEGIN in one round trip. SET does not take a snapshot. The first query does.
    private const string ReadOnly = "SET TRANSACTION READ ONLY";

    private bool _isOver;

    /// <summary>Where the transaction runs, and why there.</summary>
    public RouteDecision Decision => decision;

    public static IDbContextTransaction Begin(ContextRouting routing, IRelationalConnection main, in ReadAsk ask, IsolationLevel isolation)
    {
        ThrowIfBusy(main);
        return Opening(routing, main, isolation).Open(ask);
    }

    public static async Task<IDbContextTransaction> BeginAsync(
        ContextRouting routing, IRelationalConnection main, ReadAsk ask, IsolationLevel isolation, CancellationToken cancellationToken)
    {
        ThrowIfBusy(main);
        return await Opening(routing, main, isolation).OpenAsync(ask, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Called when the transaction has ended, whether by commit, rollback or disposal.</summary>
    public void End()
    {
        if (BeginEnd()) node?.Dispose();
    }

    /// <inheritdoc cref="End"/>
    public async ValueTask EndAsync()
    {
        if (BeginEnd() && node is not null) await node.DisposeAsync().ConfigureAwait(false);
    }

    private static NodeOpening<IDbContextTransaction> Opening(ContextRouting routing, IRelationalConnection main,
        IsolationLevel isolation) =>
        new(routing, (node, decision, io, stop) => new Report(routing, main, node, decision).StartAsync(isolation, io, stop));

    private async ValueTask<IDbContextTransaction> StartAsync(IsolationLevel isolation, IoMode io, CancellationToken cancellationToken)
    {
        try
        {
            if (node is not null) main.SetDbConnection(node.DbConnection, contextOwnsConnection: false);
            routing.Report = this;
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
            if (io == IoMode.Async) await EndAsync().ConfigureAwait(false);
            else End();
            throw;
        }
    }

    private bool BeginEnd()
    {
        if (_isOver) return false;
        _isOver = true;
        routing.Report = null;
        if (node is not null) main.SetDbConnection(null, contextOwnsConnection: true);
        return true;
    }

    private static void ThrowIfBusy(IRelationalConnection main)
    {
        if (CommandClassifier.MayBeLeft(main)) return;
        if (CommandClassifier.IsIdle(main))
            throw new InvalidOperationException(
                "A read-only transaction must run on a node of the cluster, but the context uses its own connection or connection "
                    + "string, which may lead to any server. Begin an ordinary transaction, or use another context.");
        throw new InvalidOperationException(
            "A read-only transaction cannot begin while the context is in a transaction or its connection is open, because it uses a "
                + "separate connection to a replica. End the transaction and close the connection first, or use another context.");
    }
}
