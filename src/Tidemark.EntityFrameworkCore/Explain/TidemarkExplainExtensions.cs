using Npgsql;
using Tidemark;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Extension methods that explain where a query runs, why, and how PostgreSQL runs it there.</summary>
public static class TidemarkExplainExtensions
{
    /// <summary>
    /// Returns where the query would run now, and why not on another node. Performs no I/O, so the next run is likely, but not certain, to
    /// take the same route.
    /// </summary>
    /// <exception cref="InvalidOperationException">The query does not belong to a Tidemark context.</exception>
    public static RouteDecision ExplainRoute(this IQueryable query)
    {
        var (probed, routing, sql) = Probe(query);
        using (sql) return routing.Explain(probed, sql.CommandText);
    }

    /// <summary>
    /// Returns where the query would run now and why, with one line for each other node that gives the reason against it. Performs no I/O.
    /// </summary>
    /// <exception cref="InvalidOperationException">The query does not belong to a Tidemark context.</exception>
    public static string ToRouteString(this IQueryable query) => query.ExplainRoute().ToString();

    /// <summary>
    /// Runs the query with its parameters under <c>EXPLAIN (ANALYZE, BUFFERS)</c> on the node that serves it, and returns PostgreSQL's
    /// plan. The rows are discarded. For a split query, the first statement is explained. In a transaction, or if the context has its own
    /// connection, the query runs there.
    /// </summary>
    /// <exception cref="InvalidOperationException">The query does not belong to a Tidemark context.</exception>
    /// <exception cref="RoutingException">No node can serve the query. The message gives the reason for each node.</exception>
    /// <exception cref="PostgresException">
    /// The query fails. A query that writes fails with 25006, and is not retried where it could write.
    /// </exception>
    public static async Task<QueryPlan> ExplainAnalyzeAsync(this IQueryable query, CancellationToken cancellationToken = default)
    {
        var (probed, routing, sql) = Probe(query);
        using (sql)
        {
            var text = sql.CommandText;
            sql.CommandText = "EXPLAIN (ANALYZE, BUFFERS) " + text;
            var main = probed.Command.Connection;
            if (!routing.Access.MayBeLeft(main))
            {
                await main.OpenAsync(cancellationToken).ConfigureAwait(false);
                try
                {
                    return new QueryPlan(routing.Explain(probed, text), text, await ReadAsync(sql, cancellationToken)
                        .ConfigureAwait(false));
                }
                finally
                {
                    await main.CloseAsync().ConfigureAwait(false);
                }
            }

            return await routing.OpenAsync(routing.RequestOf(probed), async (node, decision, _, stop) =>
            {
                if (node is not null) sql.Connection = node.DbConnection;
                var plan = await ReadAsync(sql, stop).ConfigureAwait(false);
                node?.Deliver();
                if (node is not null) await node.DisposeAsync().ConfigureAwait(false);
                return new QueryPlan(decision, text, plan);
            }, cancellationToken, isOneRead: true).ConfigureAwait(false);
        }
    }

    private static (ProbedQuery Query, ContextRouting Routing, NpgsqlCommand Sql) Probe(IQueryable query)
    {
        ArgumentNullException.ThrowIfNull(query);
        if (query.Provider is RoutedQueryProvider { Routing: { } routing } && query.CreateDbCommand() is NpgsqlCommand made
            && ProbedQuery.Of(made) is { } probed)
            return (probed, routing, made);
        throw new InvalidOperationException(
            $"The query does not belong to a context that uses Tidemark (its provider is {query.Provider.GetType().Name}), so Tidemark "
                + "does not route it. Configure its context with UseTidemark.");
    }

    private static async Task<string> ReadAsync(NpgsqlCommand command, CancellationToken cancellationToken)
    {
        var lines = new List<string>();
        var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) lines.Add(reader.GetString(0));
        return string.Join('\n', lines);
    }
}
