using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Tidemark;

/// <summary>Counts how often EF Core compiles a query, in all contexts: an interceptor of this kind is shared.</summary>
internal sealed class CompilationCount : IQueryExpressionInterceptor
{
    public static CompilationCount Instance { get; } = new();

    public int Count { get; private set; }

    public Expression QueryCompilationStarting(Expression queryExpression, QueryExpressionEventData eventData)
    {
        Count++;
        return queryExpression;
    }
}
