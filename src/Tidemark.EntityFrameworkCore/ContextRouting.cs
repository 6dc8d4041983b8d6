using System.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Tidemark;

/// <summary>
/// The routing state of one context: its session where none surrounds it, where it last read, and its connections to the nodes it read
/// from. Reset when a
/// pooled context goes back to its pool.
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

    // A context keeps to one replica, so that split queries and lazy loads do not jump between states of the data.
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

    /// <summary>The one connection that plays the cluster, in tests; <see langword="null"/>: the cluster is one.</summary>
    public Mirror? Mirror { get; }

    /// <summary>The session that surrounds the caller, or else the context's own.</summary>
    public ConsistencySession Session => Source.CurrentSession ?? _own;

    /// <summary>Finds the session that what is done on the main connection belongs to, whoever opens it.</summary>
    public Func<ConsistencySession?> FindSession { get; }

    /// <summary>The main connection, where the context has made one itself; <see langword="null"/>: it has not yet.</summary>
    public NpgsqlConnection? Main { get; set; }

    /// <summary>The read-only transaction that the context is in; <see langword="null"/>: none.</summary>
    public Report? Report { get; set; }

    /// <summary>The context is saving: a connection that is opened meanwhile is opened and closed by EF Core.</summary>
    public bool IsSaving { get; set; }

    /// <summary>Where and why the query under way runs there.</summary>
    public RouteDecision UnderWay(IRelationalConnection main) =>
        _whyPrimary == RouteReason.None ? _lastDecision : DecideOnMain(_whyPrimary, main);

    /// <summary>The routing of a context; <see langword="null"/> when it does not use Tidemark.</summary>
    public static ContextRouting? Of(DbContext? context) =>
        context is null ? null : ((IInfrastructure<IServiceProvider>)context).Instance.GetService(typeof(ContextRouting)) as ContextRouting;

    /// <summary>
    /// Why a command that is about to run must do so on the main connection; <see cref="RouteReason.None"/> when it may be routed as a
    /// read.
    /// </summary>
    public RouteReason WhyPrimary(in RelationalCommandParameterObject command, QueryRoute route, out ReadAsk ask)
    {
        _tracks = route.Tracks;
        _whyPrimary = _evaluate.WhyPrimary(command, route, Report, out ask);
        if (_tracks && _whyPrimary != RouteReason.None) _replicaEntities?.Reading(command.Context!, fromReplica: false);
        return _whyPrimary;
    }

    /// <summary>Where and why a command runs on the main connection.</summary>
    public RouteDecision DecideOnMain(RouteReason because, IRelationalConnection main) =>
        Report is { } report ? report.Decision.Because(RouteReason.Transaction)
        : CommandClassifier.LeadsToCluster(main) ? Source.Cluster.Decide(ReadRequirement.Primary(because))
        : RouteDecision.OwnConnection;

    /// <summary>Where a query would go at this moment. No I/O.</summary>
    public RouteDecision Explain(ProbedQuery query, string sql)
    {
        var because = _evaluate.WhyPrimary(query.Command, query.Route, Report, out var ask);
        if (because != RouteReason.None) return DecideOnMain(because, query.Command.Connection);
        var attempts = BeginRead(ask) with { Text = sql };
        return Source.Cluster.Decide(attempts.Requirement, preferred: _lastNode, affinity: Session.Affinity);
    }

    /// <summary>What a query asks for that is to be read only, wherever it would run.</summary>
    public ReadAsk AskToRead(ProbedQuery query)
    {
        var because = _evaluate.WhyPrimary(query.Command, query.Route, Report, out var ask);
        return because == RouteReason.None ? ask : new ReadAsk(Consistency.Strong, Node: null, because);
    }

    /// <summary>What a read-only transaction asks for.</summary>
    public ReadAsk AskFor(Consistency? consistency) =>
        new(Source.Effective(consistency), Source.CurrentNode, RouteReason.StrongConsistency);

    public ReadAttempts BeginRead(in ReadAsk ask) =>
        new(Source.Cluster, Session, ask.Consistency, ask.Node, _lastNode) { StrongBecause = ask.StrongBecause };

    /// <summary>The context is about to save.</summary>
    /// <exception cref="InvalidOperationException">A read-only transaction is under way.</exception>
    public void Saving(DatabaseFacade database)
    {
        if (Report is not null) throw CommandClassifier.ReadOnly("SaveChanges");
        _replicaEntities?.Saving();

        // A save of one statement needs no transaction in production. Here it would take the test's with it where it fails.
        if (Mirror?.Transaction is not null && database.AutoTransactionBehavior == AutoTransactionBehavior.WhenNeeded)
            database.AutoTransactionBehavior = AutoTransactionBehavior.Always;
    }

    /// <inheritdoc cref="CommandClassifier.ThrowIfMayNotWrite"/>
    public void ThrowIfMayNotWrite(in RelationalCommandParameterObject command, QueryRoute route) =>
        _evaluate.ThrowIfMayNotWrite(command, route, Report);

    /// <summary>
    /// The query under way runs on the node of the decision, over the connection given; on the main connection, for a query that turned out
    /// to write: null.
    /// </summary>
    public NodeConnection? ConnectTo(in RouteDecision decision, bool isWrite)
    {
        _lastDecision = decision;
        if (_tracks) _replicaEntities?.Reading(_dependencies.CurrentContext.Context, decision.IsReplica);
        if (isWrite) return null;
        KeepTo(decision);
        return _connections.To(decision, Session);
    }

    /// <summary>Runs a query; used again from one to the next, and never by two at once.</summary>
    public QueryOperation TakeOperation() => Interlocked.Exchange(ref _idleOperation, null) ?? new QueryOperation(this);

    /// <summary>The trip has run its query.</summary>
    public void Return(QueryOperation operation) => Volatile.Write(ref _idleOperation, operation);

    /// <summary>The query under way plays on the node of the decision: it is sent on the mirror's connection.</summary>
    public void PlayOn(in RouteDecision decision, bool isWrite)
    {
        ConnectTo(decision, isWrite: true);
        if (!isWrite) KeepTo(decision);
    }

    /// <summary>A connection to the node of the decision that is not one of the context's own: it is the caller's to dispose of.</summary>
    public NodeConnection NewConnectionTo(in RouteDecision decision)
    {
        StayOn(decision);
        return _connections.NewTo(decision, Session);
    }

    /// <summary>Something other than a query begins on the node of the decision, and the context keeps to it from then on.</summary>
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

    // What must read the primary says nothing of the replica that the context's other reads keep to.
    private void KeepTo(in RouteDecision decision)
    {
        if (decision.Reason != RouteReason.TrackingQuery) _lastNode = decision.NodeIndex;
    }

    /// <summary>
    /// A main connection to a node that is not the primary any more is made anew: EF Core's own opening would move it, but the next user of
    /// a pooled context may
    /// open it without EF Core.
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

    /// <summary>The next user of a pooled context is somebody else.</summary>
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
