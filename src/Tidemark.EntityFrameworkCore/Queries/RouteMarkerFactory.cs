using Microsoft.EntityFrameworkCore.Query;

namespace Tidemark;

/// <summary>Creates a <see cref="RouteMarker"/> for each query that EF Core compiles.</summary>
internal sealed class RouteMarkerFactory(
    QueryTranslationPreprocessorDependencies dependencies, RelationalQueryTranslationPreprocessorDependencies relationalDependencies)
    : IQueryTranslationPreprocessorFactory
{
    public QueryTranslationPreprocessor Create(QueryCompilationContext queryCompilationContext) =>
        new RouteMarker(dependencies, relationalDependencies, queryCompilationContext);
}
