using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>
/// Determines what a command requires, whether it may leave the main connection, and what it must not do. Neither opens connections nor
/// keeps state.
/// </summary>
internal readonly struct CommandClassifier(TidemarkDataSource source, INodeAccess access)
{
    /// <summary>
    /// Returns why a command must run on the main connection, or <see cref="RouteReason.None"/> if it may be routed as a read.
    /// </summary>
    /// <param name="command">The command.</param>
    /// <param name="route">What is known about its query.</param>
    /// <param name="readOnly">The read-only transaction that the context is in.</param>
    /// <param name="ask">What the query requires.</param>
    /// <exception cref="InvalidOperationException">The query names a node on which it cannot run.</exception>
    public RouteReason WhyPrimary(in RelationalCommandParameterObject command, QueryRoute route, ReadOnlyTransaction? readOnly,
        out QueryRequest ask)
    {
        ask = RequestOf(route, command.ParameterValues);
        if (command.CommandSource is not (CommandSource.LinqQuery or CommandSource.FromSqlQuery)) return RouteReason.Write;
        if (!access.MayBeLeft(command.Connection))
        {
            ThrowIfElsewhere(route.NodeIn(command.ParameterValues), readOnly, command.Connection);
            return RouteReason.Transaction;
        }

        if (ask.IsOnNode) return RouteReason.None;
        if (route.IsRaw || command.CommandSource == CommandSource.FromSqlQuery) return RouteReason.RawSql;
        if (!route.IsKnown) return RouteReason.UnknownQuery;

        // A tracking query reads from the primary like any other read that requires it: on a connection that refuses to write. That detects
        // a function in the query that writes.
        if (route.Reloads) ask = new QueryRequest(Consistency.Strong, Node: null, RouteReason.Reload);
        else if (route.Tracks && !source.TracksFromReplicas)
            ask = new QueryRequest(Consistency.Strong, Node: null, RouteReason.TrackingQuery);
        return RouteReason.None;
    }

    /// <exception cref="InvalidOperationException">A read-only transaction is active.</exception>
    /// <exception cref="RoutingException">The statement names a node that does not accept writes.</exception>
    public void ThrowIfMayNotWrite(in RelationalCommandParameterObject command, QueryRoute route, ReadOnlyTransaction? readOnly)
    {
        if (readOnly is not null)
        {
            throw ReadOnly(command.CommandSource switch
            {
                CommandSource.ExecuteUpdate or CommandSource.ExecuteDelete => "ExecuteUpdate or ExecuteDelete",
                CommandSource.ExecuteSqlRaw => "ExecuteSql",
                var other => other.ToString(),
            });
        }

        if (route.NodeIn(command.ParameterValues) is not { } node) return;
        source.ThrowIfUnknown(node);
        var decision = source.Cluster.Decide(ReadRequirement.Primary(RouteReason.Write));
        if (!string.Equals(decision.Node, node, StringComparison.OrdinalIgnoreCase)) throw RoutingException.WriteAimedAt(node, decision);
    }

    public static InvalidOperationException ReadOnly(string what) => new(
        $"{what} was called in a read-only transaction (BeginReadOnlyTransaction). The transaction does not accept writes, because it "
            + "runs on a replica if one can serve it. End the transaction first, or write in another context.");

    /// <summary>
    /// Returns what a query requires in this run: its own level, the level of the surrounding scope, and the rules of the model. A named
    /// node overrides the rules.
    /// </summary>
    private QueryRequest RequestOf(QueryRoute route, IReadOnlyDictionary<string, object?>? parameters)
    {
        var (own, named) = (route.ConsistencyIn(parameters), route.NodeIn(parameters));
        if (named is not null) source.ThrowIfUnknown(named);
        var node = named ?? source.CurrentNode;
        if (node is not null || route.Rule is null) return new QueryRequest(source.Effective(own), node, RouteReason.StrongConsistency);

        var without = source.Effective(own, isRuled: route.IsRuled);
        var isByRule = !without.Demands.HasFlag(ConsistencyDemands.Primary);
        return new QueryRequest(source.Effective(own, route.Rule, route.IsRuled), null, isByRule
            ? RouteReason.EntityRule : RouteReason.StrongConsistency);
    }

    /// <summary>
    /// Rejects a query that names another node than the one on which it must run. Such a query never moves, and in a transaction it can run
    /// only on the transaction's node.
    /// </summary>
    private void ThrowIfElsewhere(string? named, ReadOnlyTransaction? readOnly, IRelationalConnection connection)
    {
        if (named is null) return;
        if (readOnly is null && !access.LeadsToCluster(connection))
            throw new InvalidOperationException(
                $"The query names node '{named}', but the context uses its own connection or connection string, and all its queries run "
                    + "there. Remove OnNode, or use another context.");
        var there = readOnly?.Decision ?? source.Cluster.Decide(ReadRequirement.Primary(RouteReason.Transaction));
        if (!string.Equals(there.Node, named, StringComparison.OrdinalIgnoreCase))
            throw new InvalidOperationException(
                $"The query names node '{named}', but the context is in a transaction (or its connection is open) on '{there.Node}', and "
                    + "all its queries run there. Remove OnNode, or use another context.");
    }
}
