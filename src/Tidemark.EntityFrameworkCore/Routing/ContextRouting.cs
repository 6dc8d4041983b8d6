using System.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Tidemark;

/// <summary>
/// The routing of one context: decides where each command runs, with what the context remembers and how it reaches the nodes. Reset when a
/// pooled context returns to its pool.
/// </summary>
internal sealed class ContextRouting : IDisposable, IAsyncDisposable
{
    private readonly RelationalConnectionDependencies _dependencies;
    private readonly CommandClassifier _classifier;

    public ContextRouting(TidemarkOptionsExtension extension, RelationalConnectionDependencies dependencies, ILoggerFactory logs)
    {
        var source = extension.Source;
        _dependencies = dependencies;
        State = new ContextState(source, source.TracksFromReplicas ? new ReplicaEntities(source, dependencies.CurrentContext) : null);
        Access = extension.Access(State, dependencies, logs);
        _classifier = new CommandClassifier(source, Access);
    }

    public TidemarkDataSource Source => State.Source;

    /// <summary>What the context remembers.</summary>
    public ContextState State { get; }

    /// <summary>How the context's commands reach the nodes.</summary>
    public INodeAccess Access { get; }

    /// <inheritdoc cref="ContextState.Session"/>
    public ConsistencySession Session => State.Session;

    /// <inheritdoc cref="ContextState.ReadOnlyTransaction"/>
    public ReadOnlyTransaction? ReadOnlyTransaction => State.ReadOnlyTransaction;

    /// <summary>Returns where the current query runs, and why.</summary>
    public RouteDecision UnderWay(IRelationalConnection main) =>
        State.Pending.IsRouted ? State.LastDecision : DecideOnMain(State.Pending.WhyPrimary, main);

    /// <summary>Determines what a query that is about to run executes and requires, and makes it the context's current one.</summary>
    public PendingExecution Begin(in RelationalCommandParameterObject command, QueryRoute route, out QueryRequest ask)
    {
        var pending = new PendingExecution(_classifier.WhyPrimary(command, route, ReadOnlyTransaction, out ask), route.Tracks);
        State.Begin(pending);
        return pending;
    }

    /// <summary>Returns where a command that uses the main connection runs, and why.</summary>
    public RouteDecision DecideOnMain(RouteReason because, IRelationalConnection main) =>
        ReadOnlyTransaction is not null || Access.LeadsToCluster(main) ? State.DecideOnMain(because) : RouteDecision.OwnConnection;

    /// <summary>Returns where a query would run now. Performs no I/O.</summary>
    public RouteDecision Explain(ProbedQuery query, string sql)
    {
        var because = _classifier.WhyPrimary(query.Command, query.Route, ReadOnlyTransaction, out var ask);
        if (because != RouteReason.None) return DecideOnMain(because, query.Command.Connection);
        var attempts = new ReadAttempts(Source.Cluster, BeginRead(ask) with { Text = sql });
        return Source.Cluster.Decide(attempts.Requirement, preferred: State.LastNode, affinity: Session.Affinity);
    }

    /// <summary>Returns what a query requires if it is only to be read, wherever it would run.</summary>
    public QueryRequest RequestOf(ProbedQuery query)
    {
        var because = _classifier.WhyPrimary(query.Command, query.Route, ReadOnlyTransaction, out var ask);
        return because == RouteReason.None ? ask : new QueryRequest(Consistency.Strong, Node: null, because);
    }

    /// <summary>Returns what a read-only transaction requires.</summary>
    public QueryRequest RequestFor(Consistency? consistency) =>
        new(Source.Effective(consistency), Source.CurrentNode, RouteReason.StrongConsistency);

    public ReadRequest BeginRead(in QueryRequest ask) =>
        new(Session, ask.Consistency, ask.Node, State.LastNode) { StrongBecause = ask.StrongBecause };

    /// <summary>Opens a connection to a node that meets the requirement, and begins something other than a query on it.</summary>
    /// <inheritdoc cref="INodeAccess.Opening"/>
    public T Open<T>(in QueryRequest ask, BeginOnNode<T> begin, bool isOneRead = false)
        where T : class => ReadLoop.Run(Source.Watermarks, OnlyRead(ask), Access.Opening(begin, isOneRead));

    /// <inheritdoc cref="Open"/>
    public ValueTask<T> OpenAsync<T>(
        in QueryRequest ask, BeginOnNode<T> begin, CancellationToken cancellationToken, bool isOneRead = false)
        where T : class =>
        ReadLoop.RunAsync(Source.Watermarks, OnlyRead(ask), Access.Opening(begin, isOneRead), IoMode.Async, cancellationToken);

    /// <summary>Called when the context is about to save.</summary>
    /// <exception cref="InvalidOperationException">A read-only transaction is active.</exception>
    public void Saving()
    {
        if (ReadOnlyTransaction is not null) throw CommandClassifier.ReadOnly("SaveChanges");
        State.Saving();
    }

    /// <inheritdoc cref="CommandClassifier.ThrowIfMayNotWrite"/>
    public void ThrowIfMayNotWrite(in RelationalCommandParameterObject command, QueryRoute route) =>
        _classifier.ThrowIfMayNotWrite(command, route, ReadOnlyTransaction);

    public void ResetState()
    {
        Access.ResetState();
        Forget();
    }

    public async Task ResetStateAsync(CancellationToken cancellationToken = default)
    {
        await Access.ResetStateAsync(cancellationToken).ConfigureAwait(false);
        Forget();
    }

    public void Dispose()
    {
        Access.Dispose();
        State.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await Access.DisposeAsync().ConfigureAwait(false);
        State.Dispose();
    }

    // A connection that is opened for something other than a query only reads. No statement moves to the primary because it writes.
    private ReadRequest OnlyRead(in QueryRequest ask) => BeginRead(ask) with { MustNotWrite = true };

    /// <summary>
    /// Replaces a main connection to a former primary. EF Core would move the connection when opening it, but the next user of a pooled
    /// context may open it without EF Core.
    /// </summary>
    private void LeaveOldPrimary()
    {
        var primary = Source.Cluster.Monitor.Snapshot.PrimaryIndex;
        if (primary < 0 || State.Main is not { State: ConnectionState.Closed } made || WriteLease.Of(made) is not { } lease
            || lease.NodeIndex == primary) return;
        var main = _dependencies.CurrentContext.Context.GetService<IRelationalConnection>();
        State.Connected(null);
        if (ReferenceEquals(main.DbConnection, made)) main.SetDbConnection(null, contextOwnsConnection: true);
    }

    private void Forget()
    {
        State.Forget();
        LeaveOldPrimary();
    }
}
