using System.Data;
using System.Transactions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
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

    private readonly ReplicaEntities? _replicaEntities = SourceOf(options).TracksFromReplicas ? new ReplicaEntities(SourceOf(options)) : null;
    private RouteDecision _lastDecision;
    private RouteReason _whyPrimary;
    private bool _tracks;

    // A context keeps to one replica, so that split queries and lazy loads do not jump between states of the data.
    private int _lastNode = -1;

    public TidemarkDataSource Source { get; } = TidemarkOptionsExtension.CheckedSourceOf(options);

    /// <summary>The session that surrounds the caller, or else the context's own.</summary>
    public ConsistencySession Session => Source.CurrentSession ?? _own;

    /// <summary>The read-only transaction that the context is in; <see langword="null"/>: none.</summary>
    public Report? Report { get; set; }

    /// <summary>The context is saving: a connection that is opened meanwhile is opened and closed by EF Core.</summary>
    public bool IsSaving { get; set; }

    /// <summary>The main connection is about to be opened for a query that only reads.</summary>
    public bool NextOpeningReads { get; set; }

    /// <summary>The routing of a context; <see langword="null"/> when it does not use Tidemark.</summary>
    public static ContextRouting? Of(DbContext? context) =>
        context is null ? null : ((IInfrastructure<IServiceProvider>)context).Instance.GetService(typeof(ContextRouting)) as ContextRouting;

    /// <summary>Why a command must run on the main connection; <see cref="RouteReason.None"/> when it may be routed as a read.</summary>
    public RouteReason WhyPrimary(in RelationalCommandParameterObject command, QueryRoute route, out ReadAsk ask)
    {
        _tracks = route.Tracks;
        _whyPrimary = Judge(command, route, out ask);
        if (_tracks && _whyPrimary != RouteReason.None) _replicaEntities?.Reading(command.Context!, fromReplica: false);
        return _whyPrimary;
    }

    /// <summary>Where and why the command under way on the connection runs there.</summary>
    public RouteDecision DecisionOf(NpgsqlConnection connection) => WriteLease.Of(connection) is null
        ? _lastDecision
        : Source.Cluster.Decide(ReadRequirement.Primary(_whyPrimary == RouteReason.None ? RouteReason.RepeatedOnPrimary : _whyPrimary));

    /// <summary>Where and why a command runs on the main connection.</summary>
    public RouteDecision DecideOnMain(RouteReason because) =>
        Report?.Decision.Because(RouteReason.Transaction) ?? Source.Cluster.Decide(ReadRequirement.Primary(because));

    /// <summary>Where a query would go at this moment. No I/O.</summary>
    public RouteDecision Explain(ProbedQuery query, string sql)
    {
        var because = Judge(query.Command, query.Route, out var ask);
        if (because != RouteReason.None) return DecideOnMain(because);
        var attempts = BeginRead(ask) with { Text = sql };
        return Source.Cluster.Decide(attempts.Requirement, preferred: _lastNode, affinity: Session.Affinity);
    }

    /// <summary>What a query asks for that is to be read only, wherever it would run.</summary>
    public ReadAsk AskToRead(ProbedQuery query)
    {
        var because = Judge(query.Command, query.Route, out var ask);
        return because == RouteReason.None ? ask : new ReadAsk(Consistency.Strong, Node: null, because);
    }

    /// <summary>What a read-only transaction asks for.</summary>
    public ReadAsk AskFor(Consistency? consistency) => new(Source.Effective(consistency), Source.CurrentNode, RouteReason.StrongConsistency);

    /// <summary>The context is about to save.</summary>
    /// <exception cref="InvalidOperationException">A read-only transaction is under way.</exception>
    public void Saving()
    {
        if (Report is not null) throw ReadOnly("SaveChanges");
        _replicaEntities?.Saving();
    }

    /// <exception cref="InvalidOperationException">A read-only transaction is under way.</exception>
    /// <exception cref="RoutingException">The statement names a node that takes no writes.</exception>
    public void ThrowIfMayNotWrite(in RelationalCommandParameterObject command, QueryRoute route)
    {
        if (Report is not null)
        {
            throw ReadOnly(command.CommandSource switch
            {
                CommandSource.ExecuteUpdate or CommandSource.ExecuteDelete => "ExecuteUpdate or ExecuteDelete",
                CommandSource.ExecuteSqlRaw => "ExecuteSql",
                var other => other.ToString(),
            });
        }

        if (route.NodeIn(command.ParameterValues) is not { } node) return;
        Source.ThrowIfUnknown(node);
        var decision = Source.Cluster.Decide(ReadRequirement.Primary(RouteReason.Write));
        if (!string.Equals(decision.Node, node, StringComparison.OrdinalIgnoreCase)) throw RoutingException.WriteAimedAt(node, decision);
    }

    private RouteReason Judge(in RelationalCommandParameterObject command, QueryRoute route, out ReadAsk ask)
    {
        ask = AskOf(route, command.ParameterValues);
        if (command.CommandSource is not (CommandSource.LinqQuery or CommandSource.FromSqlQuery)) return RouteReason.Write;
        if (!IsIdle(command.Connection))
        {
            ThrowIfElsewhere(ask.Node, route, command);
            return RouteReason.Transaction;
        }

        if (ask.IsOnNode) return RouteReason.None;
        if (route.IsRaw || command.CommandSource == CommandSource.FromSqlQuery) return RouteReason.RawSql;
        return route.Tracks && _replicaEntities is null ? RouteReason.TrackingQuery : RouteReason.None;
    }

    /// <summary>Nothing is open on the connection that a command would have to be part of.</summary>
    public static bool IsIdle(IRelationalConnection connection) =>
        CommitsByItself(connection) && connection.DbConnection.State == ConnectionState.Closed;

    /// <summary>No transaction surrounds a command on the connection, neither the context's nor an ambient one.</summary>
    public static bool CommitsByItself(IRelationalConnection connection) =>
        connection.CurrentTransaction is null
        && (connection as ITransactionEnlistmentManager)?.EnlistedTransaction is null && Transaction.Current is null;

    public ReadAttempts BeginRead(in ReadAsk ask) =>
        new(Source.Cluster, Session, ask.Consistency, ask.Node, _lastNode) { StrongBecause = ask.StrongBecause };

    /// <summary>What a query asks for in this run: its own word, that of the scope around it, and the rules of the model. A named node overrides those.</summary>
    private ReadAsk AskOf(QueryRoute route, IReadOnlyDictionary<string, object?>? parameters)
    {
        var (own, named) = (route.ConsistencyIn(parameters), route.NodeIn(parameters));
        if (named is not null) Source.ThrowIfUnknown(named);
        var node = named ?? Source.CurrentNode;
        if (node is not null || route.Rule is null) return new ReadAsk(Source.Effective(own), node, RouteReason.StrongConsistency);

        var without = Source.Effective(own, isRuled: route.IsRuled);
        var isByRule = !without.Demands.HasFlag(ConsistencyDemands.Primary);
        return new ReadAsk(Source.Effective(own, route.Rule, route.IsRuled), null, isByRule ? RouteReason.EntityRule : RouteReason.StrongConsistency);
    }

    /// <summary>A connection to the node of the decision that is not one of the context's own: it is the caller's to dispose of.</summary>
    public NodeConnection NewConnectionTo(in RouteDecision decision)
    {
        (_lastNode, _lastDecision) = (decision.NodeIndex, decision);
        var connection = new NodeConnection(dependencies, Source);
        connection.LeadTo(decision, Session);
        return connection;
    }

    /// <summary>The context's connection to the node of the decision.</summary>
    public NodeConnection ConnectTo(in RouteDecision decision)
    {
        _lastNode = decision.NodeIndex;
        _lastDecision = decision;
        if (_tracks) _replicaEntities?.Reading(dependencies.CurrentContext.Context, decision.IsReplica);
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

    /// <summary>A query that names its node never moves elsewhere, and in a transaction it cannot run anywhere else than that does.</summary>
    private void ThrowIfElsewhere(string? node, QueryRoute route, in RelationalCommandParameterObject command)
    {
        if (node is null || route.NodeIn(command.ParameterValues) is null) return;
        var there = Report is { } report ? report.Decision : Source.Cluster.Decide(ReadRequirement.Primary(RouteReason.Transaction));
        if (!string.Equals(there.Node, node, StringComparison.OrdinalIgnoreCase))
            throw new InvalidOperationException(
                $"The query names node '{node}', but the context is in a transaction (or its connection is open) on '{there.Node}', and all its queries run there. " +
                "Leave out OnNode, or ask in another context.");
    }

    private static InvalidOperationException ReadOnly(string what) => new(
        $"{what} was called in a read-only transaction (BeginReadOnlyTransaction), which runs on a replica where one can serve it and takes no writes. " +
        "End it first, or write in another context.");

    private static TidemarkDataSource SourceOf(IDbContextOptions options) => options.FindExtension<TidemarkOptionsExtension>()!.Source;

    private static ConsistencySession NewSession(IDbContextOptions options) => new(SourceOf(options).Cluster.Monitor);

    /// <summary>The next user of a pooled context is somebody else.</summary>
    private void Forget()
    {
        _lastNode = -1;
        _replicaEntities?.Forget();
        NextOpeningReads = false;
        IsSaving = false;
        _own.Dispose();
        _own = new ConsistencySession(Source.Cluster.Monitor);
    }
}

/// <summary>What one run of a query asks for.</summary>
/// <param name="Consistency">What its node must contain.</param>
/// <param name="Node">The node it must run on; <see langword="null"/>: any.</param>
/// <param name="StrongBecause">Who asks for the primary, where the level does.</param>
internal readonly record struct ReadAsk(Consistency Consistency, string? Node, RouteReason StrongBecause)
{
    public bool IsOnNode => Node is not null;
}
