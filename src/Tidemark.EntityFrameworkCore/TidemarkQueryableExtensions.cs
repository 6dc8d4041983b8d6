using Tidemark;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Says for one query what it must include, or where it must run.</summary>
public static class TidemarkQueryableExtensions
{
    /// <summary>The query asks for this level, whatever surrounds it. A query on anything but a Tidemark context is not changed.</summary>
    public static IQueryable<T> WithConsistency<T>(this IQueryable<T> query, Consistency consistency) =>
        query.TagWith(QueryRoute.ConsistencyTag + consistency);

    /// <summary>
    /// The query runs on this node, also where it tracks entities, and never moves elsewhere. It fails when the node cannot serve it or when it
    /// turns out to write.
    /// </summary>
    /// <exception cref="ArgumentException">The name is empty. One that no node has fails when the query runs, and lists the nodes.</exception>
    public static IQueryable<T> OnNode<T>(this IQueryable<T> query, string node)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(node);
        return query.TagWith(QueryRoute.NodeTag + node);
    }
}
