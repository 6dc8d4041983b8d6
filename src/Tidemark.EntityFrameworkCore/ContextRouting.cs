using System.Data;
using System.Transactions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// The routing state of one context: its session where none surrounds it, and its connections to the nodes it read from. Reset when a pooled
/// context goes back to its pool.
/// </summary>
internal sealed class ContextRouting(IDbContextOptions options, RelationalConnectionDependencies dependencies)
    : IResettableService, IDisposable, IAsyncDisposable
{
    private readonly List<NodeConnection> _connections = [];
    private ConsistencySession _own = NewSession(options);

    // A context keeps to one replica, so that split queries and lazy loads do not jump between states of the data.
    private int _lastNode = -1;

    public TidemarkDataSource Source { get; } = SourceOf(options);

    /// <summary>The session that surrounds the caller, or else the context's own.</summary>
    public ConsistencySession Session => Source.CurrentSession ?? _own;

    /// <summary>The context is saving: a connection that is opened meanwhile is opened and closed by EF Core.</summary>
    public bool IsSaving { get; set; }

    /// <summary>The main connection is about to be opened for a query that only reads.</summary>
    public bool NextOpeningReads { get; set; }

    /// <summary>The routing of a context; <see langword="null"/> when it does not use Tidemark.</summary>
    public static ContextRouting? Of(DbContext? context) =>
        context is null ? null : ((IInfrastructure<IServiceProvider>)context).Instance.GetService(typeof(ContextRouting)) as ContextRouting;

    /// <summary>Why a command must run on the main connection; <see cref="RouteReason.None"/> when it may be routed as a read.</summary>
    public RouteReason WhyPrimary(in RelationalCommandParameterObject command, QueryRoute route, out Consistency consistency)
    {
        consistency = Source.Effective(route.Consistency);
        if (command.CommandSource == Microsoft.EntityFrameworkCore.Diagnostics.CommandSource.FromSqlQuery) return RouteReason.RawSql;
        if (command.CommandSource != Microsoft.EntityFrameworkCore.Diagnostics.CommandSource.LinqQuery) return RouteReason.Write;

        if (!IsIdle(command.Connection) || !LeadsToCluster(command.Connection)) return RouteReason.Transaction;
        if (route.Node is not null || Source.CurrentNode is not null) return RouteReason.None;
        if (route.IsRaw) return RouteReason.RawSql;
        return route.Tracks ? RouteReason.TrackingQuery : RouteReason.None;
    }

    /// <summary>Nothing is open on the connection that a command would have to be part of.</summary>
    public static bool IsIdle(IRelationalConnection connection) =>
        CommitsByItself(connection) && connection.DbConnection.State == ConnectionState.Closed;

    /// <summary>The context has not been given a connection, or a connection string, of the user's own: what it reads is read there then.</summary>
    private static bool LeadsToCluster(IRelationalConnection connection) => connection.DbConnection is NpgsqlConnection own && WriteLease.Of(own) is not null;

    /// <summary>No transaction surrounds a command on the connection, neither the context's nor an ambient one.</summary>
    public static bool CommitsByItself(IRelationalConnection connection) =>
        connection.CurrentTransaction is null
        && (connection as ITransactionEnlistmentManager)?.EnlistedTransaction is null && Transaction.Current is null;

    public ReadAttempts BeginRead(QueryRoute route, Consistency consistency)
    {
        if (route.Node is { } node) Source.ThrowIfUnknown(node);
        return new ReadAttempts(Source.Cluster, Session, consistency, route.Node ?? Source.CurrentNode, _lastNode);
    }

    /// <summary>The context's connection to the node of the decision.</summary>
    public NodeConnection ConnectTo(in RouteDecision decision)
    {
        _lastNode = decision.NodeIndex;
        var found = default(NodeConnection);
        foreach (var connection in _connections)
            if (connection.NodeIndex == decision.NodeIndex) found = connection;

        if (found is null)
        {
            found = new NodeConnection(dependencies, Source);
            _connections.Add(found);
        }

        found.LeadTo(decision, Session);
        return found;
    }

    public void ResetState()
    {
        foreach (var connection in _connections) ((IResettableService)connection).ResetState();
        Forget();
    }

    public async Task ResetStateAsync(CancellationToken cancellationToken = default)
    {
        foreach (var connection in _connections)
            await ((IResettableService)connection).ResetStateAsync(cancellationToken).ConfigureAwait(false);
        Forget();
    }

    public void Dispose()
    {
        foreach (var connection in _connections) connection.Dispose();
        _own.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var connection in _connections) await connection.DisposeAsync().ConfigureAwait(false);
        _own.Dispose();
    }

    private static TidemarkDataSource SourceOf(IDbContextOptions options) => options.FindExtension<TidemarkOptionsExtension>()!.Source;

    private static ConsistencySession NewSession(IDbContextOptions options) => new(SourceOf(options).Cluster.Monitor);

    /// <summary>The next user of a pooled context is somebody else.</summary>
    private void Forget()
    {
        _lastNode = -1;
        NextOpeningReads = false;
        IsSaving = false;
        _own.Dispose();
        _own = new ConsistencySession(Source.Cluster.Monitor);
    }
}
