using Npgsql;
using Tidemark;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Tells where a query goes, why, and how PostgreSQL runs it there.</summary>
public static class TidemarkExplainExtensions
{
    /// <summary>
    /// Where the query would go at this moment, and why not elsewhere. No I/O, so what it says of the next run is likely, not certain.
    /// </summary>
    /// <exception cref="InvalidOperationException">The query is not one of a Tidemark context.</exception>
    public static RouteDecision ExplainRoute(this IQueryable query)
    {
        var (probed, routing, sql) = ProbedQuery.Of(query);
        using (sql) return routing.Explain(probed, sql.CommandText);
    }

    /// <summary>Where the query would go at this moment, why, and a line for each other node with why not. No I/O.</summary>
    /// <exception cref="InvalidOperationException">The query is not one of a Tidemark context.</exception>
    public static string ToRouteString(this IQueryable query) => query.ExplainRoute().ToString();

    /// <summary>
    /// Runs the query under <c>EXPLAIN (ANALYZE, BUFFERS)</c> on the node that serves it, with its parameters, and gives PostgreSQL's plan;
    /// its rows are dropped. Of
    /// a split query the first statement is explained. Within a transaction, or on a connection of the context's own,
    /// it runs there.
    /// </summary>
    /// <exception cref="InvalidOperationException">The query is not one of a Tidemark context.</exception>
    /// <exception cref="RoutingException">No node can serve; says why for each.</exception>
    /// <exception cref="PostgresException">The query fails; one that writes, with 25006: it is not repeated where it could.</exception>
    public static async Task<QueryPlan> ExplainAnalyzeAsync(this IQueryable query, CancellationToken cancellationToken = default)
    {
        var (probed, routing, sql) = ProbedQuery.Of(query);
        using (sql)
        {
            var text = sql.CommandText;
            sql.CommandText = "EXPLAIN (ANALYZE, BUFFERS) " + text;
            var main = probed.Command.Connection;
            if (!CommandClassifier.MayBeLeft(main))
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

            var opening = new NodeOpening<QueryPlan>(routing, async (node, decision, _, stop) =>
            {
                if (node is null) return new QueryPlan(decision, text, await ReadMirroredAsync(sql, stop).ConfigureAwait(false));
                sql.Connection = node.DbConnection;
                var plan = await ReadAsync(sql, stop).ConfigureAwait(false);
                node.Deliver();
                await node.DisposeAsync().ConfigureAwait(false);
                return new QueryPlan(decision, text, plan);
            });
            return await opening.OpenAsync(routing.AskToRead(probed), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// A mirror's only connection may write, and what is explained may not: reads of a cluster have connections that refuse to.
    /// </summary>
    private static async Task<string> ReadMirroredAsync(NpgsqlCommand command, CancellationToken cancellationToken)
    {
        var read = await MirroredRead.BeginAsync(command.Connection!, isAsync: true, cancellationToken).ConfigureAwait(false);
        try
        {
            return await ReadAsync(command, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await read.EndAsync(isAsync: true).ConfigureAwait(false);
        }
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
