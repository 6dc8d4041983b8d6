using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Query;

namespace Tidemark;

/// <summary>
/// Examines each query once, when EF Core compiles it, and tags it with what determines its route. That is whether it tracks entities
/// (which announces that they will be written), whether it contains the caller's own SQL, the model's rules for its entities, and where the
/// values of its own rules are. Considers only the shape of the query: the value of a rule is a query parameter, so that one compilation
/// serves all values.
/// </summary>
internal sealed class RouteMarker(
    QueryTranslationPreprocessor inner, QueryTranslationPreprocessorDependencies dependencies, QueryCompilationContext compilation)
    : QueryTranslationPreprocessor(dependencies, compilation)
{
    public override Expression Process(Expression query)
    {
        var rules = new QueryRules();
        var plain = rules.Visit(query);
        var processed = inner.Process(plain);

        // At this point, navigations, includes and query filters are joins and subqueries over the entities they read.
        var entities = new QueryEntities();
        entities.Visit(processed);
        var model = QueryCompilationContext.Model;

        // EF Core has determined the tracking behaviour at this point. The last call counts, wherever it appears, and inner calls come
        // first.
        if (QueryCompilationContext.QueryTrackingBehavior == QueryTrackingBehavior.TrackAll
            && (new ResultShape(model).MayHoldEntity(plain.Type) || new CallersCode(model).GetsEntities(plain)))
            QueryCompilationContext.AddTag(QueryRoute.TracksTag);
        QueryCompilationContext.AddTag(QueryRoute.KnownTag);
        if (DatabaseValues.AreReadBy(plain)) QueryCompilationContext.AddTag(QueryRoute.ReloadsTag);
        if (entities.IsRaw) QueryCompilationContext.AddTag(QueryRoute.RawTag);
        if (entities.Rule is { } rule) QueryCompilationContext.AddTag(QueryRoute.RuleTag + rule);
        if (entities.IsRuled) QueryCompilationContext.AddTag(QueryRoute.RuledTag);
        foreach (var tag in rules.Tags) QueryCompilationContext.AddTag(tag);
        return processed;
    }

    /// <summary>Removes the query's own rules, so that EF Core need not handle them, and records where their values are.</summary>
    private sealed class QueryRules : ExpressionVisitor
    {
        private bool _hasNode;

        public List<string> Tags { get; } = [];

        protected override Expression VisitMethodCall(MethodCallExpression node)
        {
            if (node.Method.DeclaringType != typeof(TidemarkQueryableExtensions) || node.Arguments is not [var source, var value])
                return base.VisitMethodCall(node);
            switch (node.Method.Name)
            {
                case nameof(TidemarkQueryableExtensions.WithConsistency):
                    Tags.Add(TagOf(value, QueryRoute.ConsistencyTag, QueryRoute.ConsistencyOfTag));
                    break;

                // The outermost call counts, and is visited first.
                case nameof(TidemarkQueryableExtensions.OnNode):
                    if (!_hasNode) Tags.Add(TagOf(value, QueryRoute.NodeTag, QueryRoute.NodeOfTag));
                    _hasNode = true;
                    break;

                default:
                    return base.VisitMethodCall(node);
            }

            return Visit(source);
        }

        private static string TagOf(Expression value, string constant, string parameter) => value switch
        {
            ConstantExpression { Value: { } known } => constant + known,
            QueryParameterExpression { Name: var name } => parameter + name,
            _ => throw new InvalidOperationException(
                $"The value '{value}' depends on the rows of the query. Pass WithConsistency and OnNode a value that does not depend on "
                    + "them."),
        };
    }

    /// <summary>Finds the entities that a query reads, wherever they appear in it, and the rule of the model for each.</summary>
    private sealed class QueryEntities : ExpressionVisitor
    {
        private int _entities;
        private int _ruled;

        /// <summary>The most demanding rule of the model.</summary>
        public Consistency? Rule { get; private set; }

        /// <summary>Whether the model has a rule for each entity.</summary>
        public bool IsRuled => _entities > 0 && _ruled == _entities;

        public bool IsRaw { get; private set; }

        protected override Expression VisitExtension(Expression node)
        {
            if (node is not QueryRootExpression root) return base.VisitExtension(node);

            // Every root except a plain set or inline values is the caller's own SQL or function, which may write.
            IsRaw |= root.GetType() != typeof(EntityQueryRootExpression)
                && root is not (InlineQueryRootExpression or ParameterQueryRootExpression);
            if (root is not EntityQueryRootExpression { EntityType: var entity }) return node;

            _entities++;
            if (EntityRule.Of(entity) is not { } rule) return node;
            _ruled++;
            Rule = Rule is { } known ? Consistency.MostDemanding(known, rule) : rule;
            return node;
        }
    }
}
