using System.Linq.Expressions;
using System.Reflection;
using Tidemark;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Extension methods that set what one query must include, or where it must run.</summary>
public static class TidemarkQueryableExtensions
{
    private static readonly MethodInfo WithConsistencyMethod = MethodOf(nameof(WithConsistency));
    private static readonly MethodInfo OnNodeMethod = MethodOf(nameof(OnNode));

    /// <summary>
    /// Sets the consistency level of the query, regardless of the surrounding scope. If the query sets several levels, or the model has
    /// rules for its entities, the most demanding one applies. Has no effect on queries of contexts that do not use Tidemark.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The staleness bound is below the probe interval.</exception>
    public static IQueryable<T> WithConsistency<T>(this IQueryable<T> query, Consistency consistency)
    {
        ArgumentNullException.ThrowIfNull(query);
        if (query.Provider is not RoutedQueryProvider { Routing: { } routing })
            return query.TagWith(QueryRoute.ConsistencyTag + consistency);
        routing.Source.Effective(consistency);
        return Call(query, WithConsistencyMethod, new Asked<Consistency>(consistency));
    }

    /// <summary>
    /// Runs the query on this node, even if it tracks entities or the model sends them elsewhere. The query never moves. An asynchronous
    /// query waits until the node has replayed what its session did (<see cref="TidemarkOptions.ReadWait"/>). The query fails if the node
    /// cannot serve it, or if it turns out to write.
    /// </summary>
    /// <exception cref="ArgumentException">The name is empty or does not match any node. The message lists the nodes.</exception>
    public static IQueryable<T> OnNode<T>(this IQueryable<T> query, string node)
    {
        ArgumentNullException.ThrowIfNull(query);
        ArgumentException.ThrowIfNullOrWhiteSpace(node);
        if (query.Provider is not RoutedQueryProvider { Routing: { } routing }) return query.TagWith(QueryRoute.NodeTag + node);
        routing.Source.ThrowIfUnknown(node);
        return Call(query, OnNodeMethod, new Asked<string>(node));
    }

    // EF Core turns a value that is read from an object into a parameter, but compiles a new query for each new constant.
    private static IQueryable<T> Call<T, TValue>(IQueryable<T> query, MethodInfo method, Asked<TValue> asked) =>
        query.Provider.CreateQuery<T>(
        Expression.Call(method.MakeGenericMethod(typeof(T)), query.Expression,
            Expression.Property(Expression.Constant(asked), nameof(asked.Tidemark))));

    private static MethodInfo MethodOf(string name) => typeof(TidemarkQueryableExtensions).GetMethod(name)!;

    /// <param name="Tidemark">The value. EF Core names the parameter after this property.</param>
    private sealed record Asked<T>(T Tidemark);
}
