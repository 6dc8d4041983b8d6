using System.Linq.Expressions;
using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Query;

namespace Tidemark;

/// <summary>
/// Finds entities that a query hands to code of the caller's own: a method, a constructor, a delegate, a property that is not mapped. EF
/// Core makes such
/// an entity, and tracks it, whatever the query returns in the end. Where that cannot be told, it is taken for handed out.
/// </summary>
internal sealed class CallersCode(IModel model) : ExpressionVisitor
{
    private bool _getsEntities;

    public bool GetsEntities(Expression query)
    {
        Visit(query);
        return _getsEntities;
    }

    protected override Expression VisitMethodCall(MethodCallExpression node)
    {
        if (!IsTranslated(node.Method))
        {
            if (node.Object is { } target) Hand(target);
            Hand(node.Arguments);
        }

        return base.VisitMethodCall(node);
    }

    protected override Expression VisitNew(NewExpression node)
    {
        // An anonymous type hides nothing: what it holds is seen in its properties, where it is returned at all.
        if (node.Members is null) Hand(node.Arguments);
        return base.VisitNew(node);
    }

    protected override Expression VisitInvocation(InvocationExpression node)
    {
        Hand(node.Arguments);
        return base.VisitInvocation(node);
    }

    protected override Expression VisitNewArray(NewArrayExpression node)
    {
        Hand(node.Expressions);
        return base.VisitNewArray(node);
    }

    protected override Expression VisitBinary(BinaryExpression node)
    {
        if (node is { Method: not null, NodeType: not (ExpressionType.Equal or ExpressionType.NotEqual) }) Hand([node.Left, node.Right]);
        return base.VisitBinary(node);
    }

    protected override Expression VisitMember(MemberExpression node)
    {
        if (node.Expression is { } target && !IsMapped(node.Member, target)) Hand(target);
        return base.VisitMember(node);
    }

    protected override Expression VisitExtension(Expression node) =>
        node is QueryRootExpression or QueryParameterExpression ? node : base.VisitExtension(node);

    private void Hand(IEnumerable<Expression> values)
    {
        foreach (var value in values) Hand(value);
    }

    private void Hand(Expression value)
    {
        // What came from outside the query was not made by it.
        var bare = Bare(value);
        if (bare is not (ConstantExpression or QueryParameterExpression or LambdaExpression))
            _getsEntities |= new ResultShape(model).MayHoldEntity(bare.Type);
    }

    /// <summary>
    /// Members of anything but an entity are no concern: the entity they are read from was handed out before, or not at all.
    /// </summary>
    private bool IsMapped(MemberInfo member, Expression target)
    {
        var entities = model.FindEntityTypes(target.Type).ToList();
        if (entities.Count == 0) entities = [.. model.FindEntityTypes(Bare(target).Type)];
        return entities.Count == 0 || entities.Exists(e => e.FindMember(member.Name) is not null);
    }

    /// <summary>Methods that the query's translation knows, so that the caller's code never runs.</summary>
    private bool IsTranslated(MethodInfo method) =>
        method.DeclaringType == typeof(Queryable) || method.DeclaringType == typeof(Enumerable)
        || method.DeclaringType?.Namespace?.StartsWith("Microsoft.EntityFrameworkCore", StringComparison.Ordinal) == true
        || method.Name is nameof(Equals) or nameof(ReferenceEquals) or nameof(GetType)
        || (method.Name is "Contains" or "Exists" or "get_Item" && method.DeclaringType?.Namespace == "System.Collections.Generic")
        || model.FindDbFunction(method) is not null;

    private static Expression Bare(Expression value) =>
        value is UnaryExpression { NodeType: ExpressionType.Convert or ExpressionType.ConvertChecked or ExpressionType.TypeAs } cast
            ? Bare(cast.Operand) : value;
}
