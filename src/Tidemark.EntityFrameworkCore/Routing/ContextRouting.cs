using System.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Tidemark;

/// <summary>
/// The routing state of one context: its own session (used if none surrounds the caller), the node it last read from, and its connections
/// to the nodes it has read from. Reset when a pooled context returns to its pool.
/// </summary>
internal sealed class ContextRouting : IResettableService, IDisposable, IAsyncDisposable
{
    private readonly RelationalConnectionDependencies _dependencies;
    private readonly NodeConnections _connections;
    private readonly CommandClassifier _evaluate;
    private readonly ReplicaEntities? _replicaEntities;
    private ConsistencySession _own;
    private QueryOperation? _idleOperation;
    private RouteDecision _lastDecision;
    private RouteReason _whyPrimary;
    private bool _tracks;

    // A context stays on one replica, so that split queries and lazy loads do not jump between states of the data.
    private int _lastNode = -1;

    public ContextRouting(IDbContextOptions options, RelationalConnectionDependencies dependencies, ILoggerFactory logs)
    {
        Source = TidemarkOptionsExtension.CheckedSourceOf(options);
        Mirror = options.FindExtension<TidemarkOptionsExtension>()!.Mirror;
        _dependencies = dependencies;
        _connections = new NodeConnections(dependencies, logs, Source);
        _evaluate = new CommandClassifier(Source);
        _replicaEntities = Source.TracksFromReplicas ? new ReplicaEntities(Source) : null;
        _own = new ConsistencySession(Source.Cluster.Monitor);
        FindSession = () => Session;
    }

    public TidemarkDataSource Source { get; }

    /// <summary>The connection that plays the cluster in tests; <see langword="null"/> if the cluster is real.</summary>
    public Mirror? Mirror { get; }

    /// <summary>The session that surrounds the caller, or else the context's own.</summary>
    public ConsistencySession Session => Source.CurrentSession ?? _own;

    /// <summary>Finds the session that operations on the main connection belong to, regardless of who opens it.</summary>
    public Func<ConsistencySession?> FindSession { get; }

    /// <summary>The main connection that the context created itself; <see langword="null"/> if it has not created one yet.</summary>
    public NpgsqlConnection? Main { get; set; }

    /// <summary>The read-only transaction that the context is in; <see langword="null"/> outside one.</summary>
    public Report? Report { get; set; }

    /// <summary>Whether the context is saving. EF Core opens and closes a connection that is opened meanwhile.</summary>
    public bool IsSaving { get; set; }

    /// <summary>Returns where the current query runs, and why.</summary>
    public RouteDecision UnderWay(IRelationalConnection main) =>
        _whyPrimary == RouteReason.None ? _lastDecision : DecideOnMain(_whyPrimary, main);

    /// <summary>Returns the routing of a context, or <see langword="null"/> if the context does not use Tidemark.</summary>
    public static ContextRouting? Of(DbContext? context) =>
        context is null ? null : ((IInfrastructure<IServiceProvider>)context).Instance.GetService(typeof(ContextRouting)) as ContextRouting;

    /// <summary>
    /// Returns why a command that is about to run must use the main connection, or <see cref="RouteReason.None"/> if it may be routed as a
    /// read.
    /// </summary>
    public RouteReason WhyPrimary(in RelationalCommandParameterObject command, QueryRoute route, out ReadAsk ask)
    {
        _tracks = route.Tracks;
        _whyPrimary = _evaluate.WhyPrimary(command, route, Report, out ask);
        if (_tracks && _whyPrimary != RouteReason.None) _replicaEntities?.Reading(command.Context!, fromReplica: false);
        return _whyPrimary;
    }

    /// <summary>Returns where a command that uses the main connection runs, and why.</summary>
    public RouteDecision DecideOnMain(RouteReason because, IRelationalConnection main) =>
        Report is { } report ? report.Decision.Because(RouteReason.Transaction)
        : CommandClassifier.LeadsToCluster(main) ? Source.Cluster.Decide(ReadRequirement.Primary(because))
        : RouteDecision.OwnConnection;

    /// <summary>Returns where a query would run now. Performs no I/O.</summary>
    public RouteDecision Explain(ProbedQuery query, string sql)
    {
        var because = _evaluate.WhyPrimary(query.Command, query.Route, Report, out var ask);
        if (because != RouteReason.None) return DecideOnMain(because, query.Command.Connection);
        var attempts = new ReadAttempts(Source.Cluster, BeginRead(ask) with { Text = sql });
        return Source.Cluster.Decide(attempts.Requirement, preferred: _lastNode, affinity: Session.Affinity);
    }

    /// <summary>Returns what a query requires if it is only to be read, wherever it would run.</summary>
    public ReadAsk AskToRead(ProbedQuery query)
    {
        var because = _evaluate.WhyPrimary(query.Command, query.Route, Report, out var ask);
        return because == RouteReason.None ? ask : new ReadAsk(Consistency.Strong, Node: null, because);
    }

    /// <summary>Returns what a read-only transaction requires.</summary>
    public ReadAsk AskFor(Consistency? consistency) =>
        new(Source.Effective(consistency), Source.CurrentNode, RouteReason.StrongConsistency);

    public ReadRequest BeginRead(in ReadAsk ask) =>
        new(Session, ask.Consistency, ask.Node, _lastNode) { StrongBecause = ask.StrongBecause };

    /// <summary>Called when the context is about to save.</summary>
    /// <exception cref="InvalidOperationException">A read-only transaction is active.</exception>
    public void Saving(DatabaseFacade database)
    {
        if (Report is not null) throw CommandClassifier.ReadOnly("SaveChanges");
        _replicaEntities?.Saving();

        // In production, a save of one statement needs no transaction. Here, a failure would abort the test's transaction as well.
        if (Mirror?.Transaction is not null && database.AutoTransactionBehavior == AutoTransactionBehavior.WhenNeeded)
            database.AutoTransactionBehavior = AutoTransactionBehavior.Always;
    }

    /// <inheritdoc cref="CommandClassifier.ThrowIfMayNotWrite"/>
    public void ThrowIfMayNotWrite(in RelationalCommandParameterObject command, QueryRoute route) =>
        _evaluate.ThrowIfMayNotWrite(command, route, Report);

    /// <summary>
    /// Returns the connection on which the current query runs on the node of the decision. Returns <see langword="null"/> for the main
    /// connection, if the query turned out to write.
    /// </summary>
    public NodeConnection? ConnectTo(in RouteDecision decision, bool isWrite)
    {
        _lastDecision = decision;
        if (_tracks) _replicaEntities?.Reading(_dependencies.CurrentContext.Context, decision.IsReplica);
        if (isWrite) return null;
        KeepTo(decision);
        return _connections.To(decision, Session);
    }

    /// <summary>Takes an operation that runs a query. It is reused from one query to the next, and never used by two at once.</summary>
    public QueryOperation TakeOperation() => Interlocked.Exchange(ref _idleOperation, null) ?? new QueryOperation(this);

    /// <summary>Makes an operation available again after it has run its query.</summary>
    public void Return(QueryOperation operation) => Volatile.Write(ref _idleOperation, operation);

    /// <summary>
    /// Routes the current query to the node of the decision under a mirror. The query is sent on the mirror's connection.
    /// </summary>
    public void PlayOn(in RouteDecision decision, bool isWrite)
    {
        ConnectTo(decision, isWrite: true);
        if (!isWrite) KeepTo(decision);
    }

    /// <summary>Creates a connection to the node of the decision that does not belong to the context. The caller disposes of it.</summary>
    public NodeConnection NewConnectionTo(in RouteDecision decision)
    {
        StayOn(decision);
        return _connections.NewTo(decision, Session);
    }

    /// <summary>
    /// Called when something other than a query begins on the node of the decision. The context stays on that node from then on.
    /// </summary>
    public void StayOn(in RouteDecision decision) => (_lastNode, _lastDecision) = (decision.NodeIndex, decision);

    public void ResetState()
    {
        _connections.ResetState();
        Forget();
    }

    public async Task ResetStateAsync(CancellationToken cancellationToken = default)
    {
        await _connections.ResetStateAsync(cancellationToken).ConfigureAwait(false);
        Forget();
    }

    public void Dispose()
    {
        _connections.Dispose();
        _own.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await _connections.DisposeAsync().ConfigureAwait(false);
        _own.Dispose();
    }

    // A query that must read from the primary does not affect which replica the context's other reads stay on.
    private void KeepTo(in RouteDecision decision)
    {
        if (decision.Reason != RouteReason.TrackingQuery) _lastNode = decision.NodeIndex;
    }

    /// <summary>
    /// Replaces a main connection to a former primary. EF Core would move the connection when opening it, but the next user of a pooled
    /// context may open it without EF Core.
    /// </summary>
    private void LeaveOldPrimary()
    {
        var primary = Source.Cluster.Monitor.Snapshot.PrimaryIndex;
        if (primary < 0 || Main is not { State: ConnectionState.Closed } made || WriteLease.Of(made) is not { } lease
            || lease.NodeIndex == primary) return;
        var main = _dependencies.CurrentContext.Context.GetService<IRelationalConnection>();
        Main = null;
        if (ReferenceEquals(main.DbConnection, made)) main.SetDbConnection(null, contextOwnsConnection: true);
    }

    /// <summary>Clears the state, because the next user of a pooled context is a different one.</summary>
    private void Forget()
    {
        _lastNode = -1;
        _replicaEntities?.Forget();
        LeaveOldPrimary();
        IsSaving = false;
        _own.Dispose();
        _own = new ConsistencySession(Source.Cluster.Monitor);
    }
}
