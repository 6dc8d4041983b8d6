using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Metadata;
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

        var survey = new Survey(context.Model);
        survey.Visit(queryExpression);
        var behavior = survey.Tracking ?? context.ChangeTracker.QueryTrackingBehavior;
        var tracks = behavior == QueryTrackingBehavior.TrackAll
            && (new ResultShape(context.Model).MayHoldEntity(queryExpression.Type) || new CallersCode(context.Model).GetsEntities(queryExpression));

        if (tracks) queryExpression = new Tagger(context.Model, QueryRoute.TracksTag).Visit(queryExpression);
        return survey.IsRaw ? new Tagger(context.Model, QueryRoute.RawTag).Visit(queryExpression) : queryExpression;
    }

    /// <summary>Finds the tracking behaviour the query asks for and SQL of the caller's own.</summary>
    private sealed class Survey(IModel model) : ExpressionVisitor
    {
        public QueryTrackingBehavior? Tracking { get; private set; }

        public bool IsRaw { get; private set; }

        protected override Expression VisitMethodCall(MethodCallExpression node)
        {
            // Inner calls come first and the last one counts, wherever it stands: that is how EF Core takes them.
            var visited = base.VisitMethodCall(node);
            if (node.Method.DeclaringType == typeof(EntityFrameworkQueryableExtensions))
            {
                Tracking = node.Method.Name switch
                {
                    nameof(EntityFrameworkQueryableExtensions.AsTracking) => QueryTrackingBehavior.TrackAll,
                    nameof(EntityFrameworkQueryableExtensions.AsNoTracking) => QueryTrackingBehavior.NoTracking,
                    nameof(EntityFrameworkQueryableExtensions.AsNoTrackingWithIdentityResolution) =>
                        QueryTrackingBehavior.NoTrackingWithIdentityResolution,
                    _ => Tracking,
                };
            }

            if (ReturnsRows(model, node)) IsRaw = true;
            return visited;
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
    private sealed class Tagger(IModel model, string tag) : ExpressionVisitor
    {
        private static readonly System.Reflection.MethodInfo TagWith =
            typeof(EntityFrameworkQueryableExtensions).GetMethods().Single(m => m.Name == nameof(EntityFrameworkQueryableExtensions.TagWith));

        private bool _isDone;

        protected override Expression VisitExtension(Expression node) =>
            node is QueryRootExpression root ? Tag(root, root.ElementType) : base.VisitExtension(node);

        protected override Expression VisitMethodCall(MethodCallExpression node) =>
            ReturnsRows(model, node) ? Tag(node, node.Type.GetGenericArguments()[0]) : base.VisitMethodCall(node);

        private Expression Tag(Expression root, Type elementType)
        {
            if (_isDone) return root;
            _isDone = true;
            return Expression.Call(TagWith.MakeGenericMethod(elementType), root, Expression.Constant(tag));
        }
    }

    /// <summary>A function of the database that returns rows; EF Core makes a root of it only later.</summary>
    private static bool ReturnsRows(IModel model, MethodCallExpression node) => model.FindDbFunction(node.Method) is { IsScalar: false };
}
