using Microsoft.EntityFrameworkCore.Query;

namespace Tidemark;

/// <summary>Creates a <see cref="RouteMarker"/> for each query that EF Core compiles.</summary>
/// <param name="inner">The factory that another extension, or EF Core itself, registered.</param>
/// <param name="dependencies">EF Core's dependencies of a preprocessor.</param>
internal sealed class RouteMarkerFactory<TInner>(TInner inner, QueryTranslationPreprocessorDependencies dependencies)
    : IQueryTranslationPreprocessorFactory
    where TInner : class, IQueryTranslationPreprocessorFactory
{
    public QueryTranslationPreprocessor Create(QueryCompilationContext queryCompilationContext) =>
        new RouteMarker(inner.Create(queryCompilationContext), dependencies, queryCompilationContext);
}
