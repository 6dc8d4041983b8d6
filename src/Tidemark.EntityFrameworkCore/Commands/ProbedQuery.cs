using System.Data.Common;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Storage;

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

    /// <summary>Returns the query of a recorded command, or <see langword="null"/> if Tidemark did not create the command.</summary>
    public static ProbedQuery? Of(DbCommand made) => Probes.TryGetValue(made, out var probed) ? probed : null;
}
