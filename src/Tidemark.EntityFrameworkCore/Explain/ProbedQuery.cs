using System.Data.Common;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A query that is explained but not run: the command that EF Core would send, and what its routing depends on. Opens nothing.
/// </summary>
/// <param name="Route">What is known about the query.</param>
/// <param name="Command">The parameters of this run, the context, and its connection.</param>
internal sealed record ProbedQuery(QueryRoute Route, RelationalCommandParameterObject Command)
{
    private static readonly ConditionalWeakTable<DbCommand, ProbedQuery> Probes = [];

    /// <summary>
    /// Records a command that EF Core creates but does not run itself. Npgsql may return a command that was used and disposed of before.
    /// </summary>
    public static void Note(DbCommand made, QueryRoute route, in RelationalCommandParameterObject command) =>
        Probes.AddOrUpdate(made, new ProbedQuery(route, command));

    /// <exception cref="InvalidOperationException">The query does not belong to a Tidemark context.</exception>
    public static (ProbedQuery Query, ContextRouting Routing, NpgsqlCommand Sql) Of(IQueryable query)
    {
        ArgumentNullException.ThrowIfNull(query);
        if (query.Provider is RoutedQueryProvider provider && query.CreateDbCommand() is NpgsqlCommand made
            && Probes.TryGetValue(made, out var probed))
            return (probed, provider.Routing, made);
        throw new InvalidOperationException(
            $"The query does not belong to a context that uses Tidemark (its provider is {query.Provider.GetType().Name}), so Tidemark "
                + "does not route it. Configure its context with UseTidemark.");
    }
}
