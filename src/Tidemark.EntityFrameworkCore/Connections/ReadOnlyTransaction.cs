using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>
/// A context's read-only transaction. While it lasts, the context's main connection leads to the transaction's node, so that every query
/// runs there in one snapshot. Afterwards, the main connection leads to the primary again.
/// </summary>
/// <param name="main">The context's main connection.</param>
/// <param name="node">The connection to the node; <see langword="null"/> if the main connection leads there.</param>
/// <param name="decision">Where the transaction runs, and why there.</param>
internal sealed class ReadOnlyTransaction(IRelationalConnection main, NodeConnection? node, RouteDecision decision)
{
    /// <summary>Where the transaction runs, and why there.</summary>
    public RouteDecision Decision => decision;

    /// <summary>Whether the transaction has ended.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Called before the transaction begins on the main connection.</summary>
    public void Begin()
    {
        if (node is not null) main.SetDbConnection(node.DbConnection, contextOwnsConnection: false);
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

    private bool BeginEnd()
    {
        if (IsOver) return false;
        IsOver = true;
        if (node is not null) main.SetDbConnection(null, contextOwnsConnection: true);
        return true;
    }
}
