using System.Data;
using System.Transactions;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Says of a command what it asks for, whether it may leave the main connection, and what it may not do. Opens nothing and remembers
/// nothing.
/// </summary>
internal sealed class CommandClassifier(TidemarkDataSource source)
{
    /// <summary>Nothing is open on the connection that a command would have to be part of.</summary>
    public static bool IsIdle(IRelationalConnection connection) =>
        CommitsByItself(connection) && connection.DbConnection.State == ConnectionState.Closed;

    /// <summary>
    /// The context has not been given a connection, or a connection string, of the user's own: what it reads is read there then.
    /// </summary>
    public static bool LeadsToCluster(IRelationalConnection connection) =>
        (connection.DbConnection is NpgsqlConnection own && WriteLease.Of(own) is not null) || Mirror.Of(connection) is not null;

    /// <summary>A read may run on another connection than this.</summary>
    public static bool MayBeLeft(IRelationalConnection connection) =>
        (IsIdle(connection) && LeadsToCluster(connection)) || (Mirror.Of(connection) is not null && CommitsByItself(connection));

    /// <summary>No transaction surrounds a command on the connection, neither the context's nor an ambient one.</summary>
    public static bool CommitsByItself(IRelationalConnection connection) =>
        connection.CurrentTransaction is null
        && (connection as ITransactionEnlistmentManager)?.EnlistedTransaction is null && Transaction.Current is null;

    /// <summary>Why a command must run on the main connection; <see cref="RouteReason.None"/> when it may be routed as a read.</summary>
    /// <param name="command">The command.</param>
    /// <param name="route">What is known of its query.</param>
    /// <param name="report">The read-only transaction that the context is in.</param>
    /// <param name="ask">What it asks for.</param>
    /// <exception cref="InvalidOperationException">It names a node that it cannot run on.</exception>
    public RouteReason WhyPrimary(in RelationalCommandParameterObject command, QueryRoute route, Report? report, out ReadAsk ask)
    {
        ask = AskOf(route, command.ParameterValues);
        if (command.CommandSource is not (CommandSource.LinqQuery or CommandSource.FromSqlQuery)) return RouteReason.Write;
        if (!MayBeLeft(command.Connection))
        {
            ThrowIfElsewhere(route.NodeIn(command.ParameterValues), report, command.Connection);
            return RouteReason.Transaction;
        }

        if (ask.IsOnNode) return RouteReason.None;
        if (route.IsRaw || command.CommandSource == CommandSource.FromSqlQuery) return RouteReason.RawSql;

        // It reads the primary as any read does that asks for it: on a connection that refuses to write, so that a function in it which
        // writes is found out.
        if (route.Tracks && !source.TracksFromReplicas) ask = new ReadAsk(Consistency.Strong, Node: null, RouteReason.TrackingQuery);
        return RouteReason.None;
    }

    /// <exception cref="InvalidOperationException">A read-only transaction is under way.</exception>
    /// <exception cref="RoutingException">The statement names a node that takes no writes.</exception>
    public void ThrowIfMayNotWrite(in RelationalCommandParameterObject command, QueryRoute route, Report? report)
    {
        if (report is not null)
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
        $"{what} was called in a read-only transaction (BeginReadOnlyTransaction), which runs on a replica where one can serve it and "
            + "takes no writes. " +
        "End it first, or write in another context.");

    /// <summary>
    /// What a query asks for in this run: its own word, that of the scope around it, and the rules of the model. A named node overrides
    /// those.
    /// </summary>
    private ReadAsk AskOf(QueryRoute route, IReadOnlyDictionary<string, object?>? parameters)
    {
        var (own, named) = (route.ConsistencyIn(parameters), route.NodeIn(parameters));
        if (named is not null) source.ThrowIfUnknown(named);
        var node = named ?? source.CurrentNode;
        if (node is not null || route.Rule is null) return new ReadAsk(source.Effective(own), node, RouteReason.StrongConsistency);

        var without = source.Effective(own, isRuled: route.IsRuled);
        var isByRule = !without.Demands.HasFlag(ConsistencyDemands.Primary);
        return new ReadAsk(source.Effective(own, route.Rule, route.IsRuled), null, isByRule
            ? RouteReason.EntityRule : RouteReason.StrongConsistency);
    }

    /// <summary>
    /// A query that names its node never moves elsewhere, and in a transaction it cannot run anywhere else than that does.
    /// </summary>
    private void ThrowIfElsewhere(string? named, Report? report, IRelationalConnection connection)
    {
        if (named is null) return;
        if (report is null && !LeadsToCluster(connection))
            throw new InvalidOperationException(
                $"The query names node '{named}', but the context was given a connection or a connection string of its own, and all its "
                    + "queries run there. " +
                "Leave out OnNode, or ask in another context.");
        var there = report?.Decision ?? source.Cluster.Decide(ReadRequirement.Primary(RouteReason.Transaction));
        if (!string.Equals(there.Node, named, StringComparison.OrdinalIgnoreCase))
            throw new InvalidOperationException(
                $"The query names node '{named}', but the context is in a transaction (or its connection is open) on '{there.Node}', and all its queries run there. " +
                "Leave out OnNode, or ask in another context.");
    }
}
