using System.Linq.Expressions;
using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Query;

namespace Tidemark;

/// <summary>
/// Detects entities that a query passes to the caller's code: a method, a constructor, a delegate or an unmapped property. EF Core creates
/// and tracks such an entity, whatever the query finally returns. If the expression does not show whether an entity is passed on, it counts
/// as passed on.
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
        // An anonymous type hides nothing. Its contents appear in its properties if it is returned at all.
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
        // A value from outside the query was not created by it.
        var bare = Bare(value);
        if (bare is not (ConstantExpression or QueryParameterExpression or LambdaExpression))
            _getsEntities |= new ResultShape(model).MayHoldEntity(bare.Type);
    }

    /// <summary>
    /// Returns whether a member is mapped. Members of other types than entities do not matter: the entity that they are read from was
    /// passed on earlier, or not at all.
    /// </summary>
    private bool IsMapped(MemberInfo member, Expression target)
    {
        var entities = model.FindEntityTypes(target.Type).ToList();
        if (entities.Count == 0) entities = [.. model.FindEntityTypes(Bare(target).Type)];
        return entities.Count == 0 || entities.Exists(e => e.FindMember(member.Name) is not null);
    }

    /// <summary>Returns whether the query translation handles the method, so that the caller's code never runs.</summary>
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
