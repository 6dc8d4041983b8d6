using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Query;

namespace Tidemark;

/// <summary>
/// Looks at each query once, when EF Core compiles it, and marks those that must not go to a replica: queries that track entities (a promise to
/// write them) and queries with SQL of the caller's own. Decides by the shape of the query alone, so that the mark may be cached with it.
/// </summary>
internal sealed class QueryMarker : IQueryExpressionInterceptor
{
    public static QueryMarker Instance { get; } = new();

    public Expression QueryCompilationStarting(Expression queryExpression, QueryExpressionEventData eventData)
    {
        if (eventData.Context is not { } context || ContextRouting.Of(context) is null) return queryExpression;

        var survey = new Survey();
        survey.Visit(queryExpression);
        var behavior = survey.Tracking ?? context.ChangeTracker.QueryTrackingBehavior;
        var tracks = behavior == QueryTrackingBehavior.TrackAll && new ResultShape(context.Model).MayHoldEntity(queryExpression.Type);

        if (tracks) queryExpression = new Tagger(QueryRoute.TracksTag).Visit(queryExpression);
        return survey.IsRaw ? new Tagger(QueryRoute.RawTag).Visit(queryExpression) : queryExpression;
    }

    /// <summary>Finds the tracking behaviour the query asks for (the outermost call counts) and SQL of the caller's own.</summary>
    private sealed class Survey : ExpressionVisitor
    {
        public QueryTrackingBehavior? Tracking { get; private set; }

        public bool IsRaw { get; private set; }

        protected override Expression VisitMethodCall(MethodCallExpression node)
        {
            if (node.Method.DeclaringType == typeof(EntityFrameworkQueryableExtensions))
            {
                Tracking ??= node.Method.Name switch
                {
                    nameof(EntityFrameworkQueryableExtensions.AsNoTracking) => QueryTrackingBehavior.NoTracking,
                    nameof(EntityFrameworkQueryableExtensions.AsNoTrackingWithIdentityResolution) =>
                        QueryTrackingBehavior.NoTrackingWithIdentityResolution,

                    // AsTracking(behavior) says which in its argument.
                    nameof(EntityFrameworkQueryableExtensions.AsTracking) =>
                        node.Arguments is [_, ConstantExpression { Value: QueryTrackingBehavior chosen }] ? chosen : QueryTrackingBehavior.TrackAll,
                    _ => null,
                };
            }

            return base.VisitMethodCall(node);
        }

        protected override Expression VisitExtension(Expression node)
        {
            if (node is not QueryRootExpression) return base.VisitExtension(node);

            // Every root but a plain set is SQL or a function of the caller's own, which nobody knows not to write.
            if (node.GetType() != typeof(EntityQueryRootExpression)) IsRaw = true;
            return node;
        }
    }

    /// <summary>Puts a tag on the first root of the query; EF Core collects tags wherever they stand.</summary>
    private sealed class Tagger(string tag) : ExpressionVisitor
    {
        private static readonly System.Reflection.MethodInfo TagWith =
            typeof(EntityFrameworkQueryableExtensions).GetMethods().Single(m => m.Name == nameof(EntityFrameworkQueryableExtensions.TagWith));

        private bool _isDone;

        protected override Expression VisitExtension(Expression node)
        {
            if (node is not QueryRootExpression root) return base.VisitExtension(node);
            if (_isDone) return node;
            _isDone = true;
            return Expression.Call(TagWith.MakeGenericMethod(root.ElementType), root, Expression.Constant(tag));
        }
    }
}
