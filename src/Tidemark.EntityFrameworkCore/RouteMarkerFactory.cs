using Microsoft.EntityFrameworkCore.Query;

namespace Tidemark;

/// <summary>Lets EF Core make a <see cref="RouteMarker"/> for each query it compiles.</summary>
internal sealed class RouteMarkerFactory(
    QueryTranslationPreprocessorDependencies dependencies, RelationalQueryTranslationPreprocessorDependencies relationalDependencies)
    : IQueryTranslationPreprocessorFactory
{
    public QueryTranslationPreprocessor Create(QueryCompilationContext queryCompilationContext) =>
        new RouteMarker(dependencies, relationalDependencies, queryCompilationContext);
}
