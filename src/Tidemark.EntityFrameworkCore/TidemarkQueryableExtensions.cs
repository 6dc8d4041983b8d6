using System.Linq.Expressions;
using System.Reflection;
using Tidemark;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Says for one query what it must include, or where it must run.</summary>
public static class TidemarkQueryableExtensions
{
    private static readonly MethodInfo WithConsistencyMethod = MethodOf(nameof(WithConsistency));
    private static readonly MethodInfo OnNodeMethod = MethodOf(nameof(OnNode));

    /// <summary>
    /// The query asks for this level, whatever surrounds it. Said more than once, and together with the rules of the model for the entities
    /// in the query, the
    /// most demanding counts. Does nothing to a query on anything but a Tidemark context.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The bound of staleness is below the probe interval.</exception>
    public static IQueryable<T> WithConsistency<T>(this IQueryable<T> query, Consistency consistency)
    {
        ArgumentNullException.ThrowIfNull(query);
        if (query.Provider is not RoutedQueryProvider provider) return query.TagWith(QueryRoute.ConsistencyTag + consistency);
        provider.Routing.Source.Effective(consistency);
        return Call(query, WithConsistencyMethod, new Asked<Consistency>(consistency));
    }

    /// <summary>
    /// The query runs on this node, also where it tracks entities or the model sends them elsewhere, and never moves. An asynchronous one
    /// waits for it to
    /// replay what its session did (<see cref="TidemarkOptions.ReadWait"/>). It fails when the node cannot serve it or when it turns out to
    /// write.
    /// </summary>
    /// <exception cref="ArgumentException">The name is empty, or no node has it; lists the nodes.</exception>
    public static IQueryable<T> OnNode<T>(this IQueryable<T> query, string node)
    {
        ArgumentNullException.ThrowIfNull(query);
        ArgumentException.ThrowIfNullOrWhiteSpace(node);
        if (query.Provider is not RoutedQueryProvider provider) return query.TagWith(QueryRoute.NodeTag + node);
        provider.Routing.Source.ThrowIfUnknown(node);
        return Call(query, OnNodeMethod, new Asked<string>(node));
    }

    // EF Core makes a parameter of what is read from an object, and a new query of each new constant.
    private static IQueryable<T> Call<T, TValue>(IQueryable<T> query, MethodInfo method, Asked<TValue> asked) =>
        query.Provider.CreateQuery<T>(
        Expression.Call(method.MakeGenericMethod(typeof(T)), query.Expression,
            Expression.Property(Expression.Constant(asked), nameof(asked.Tidemark))));

    private static MethodInfo MethodOf(string name) => typeof(TidemarkQueryableExtensions).GetMethod(name)!;

    /// <param name="Tidemark">The value; EF Core names the parameter after it.</param>
    private sealed record Asked<T>(T Tidemark);
}
