using Microsoft.EntityFrameworkCore.Query.Internal;

namespace Tidemark;

/// <summary>
/// The provider of a Tidemark context's queries. It changes nothing: by it a query can be told from one of another context, whose provider
/// would not
/// understand the rules that Tidemark puts in a query.
/// </summary>
#pragma warning disable EF1001 // EF Core's own operators work on this very type only, so another one cannot stand in for it.
internal sealed class RoutedQueryProvider(IQueryCompiler compiler, ContextRouting routing) : EntityQueryProvider(compiler)
#pragma warning restore EF1001
{
    /// <summary>The routing of the context that the query belongs to.</summary>
    public ContextRouting Routing => routing;
}
