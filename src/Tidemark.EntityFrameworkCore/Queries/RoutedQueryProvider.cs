using Microsoft.EntityFrameworkCore.Query.Internal;

namespace Tidemark;

/// <summary>
/// The provider of a Tidemark context's queries. It changes nothing, but distinguishes such a query from a query of another context. The
/// provider of another context would not handle the rules that Tidemark adds to a query.
/// </summary>
#pragma warning disable EF1001 // EF Core's own operators work on exactly this type, so another type cannot replace it.
internal sealed class RoutedQueryProvider(IQueryCompiler compiler, OptionalRouting routing) : EntityQueryProvider(compiler)
#pragma warning restore EF1001
{
    /// <summary>The routing of the context that the query belongs to, or <see langword="null"/> if it has none.</summary>
    public ContextRouting? Routing => routing.Routing;
}
