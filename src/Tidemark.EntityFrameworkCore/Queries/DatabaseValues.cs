using System.Linq.Expressions;

namespace Tidemark;

/// <summary>
/// Recognizes the query behind <c>Reload</c> and <c>GetDatabaseValues</c>. It tracks nothing, but its values go into a tracked entity, and
/// the next save would undo a newer change that a lagging replica lacks.
/// </summary>
internal sealed class DatabaseValues : ExpressionVisitor
{
    private bool _isFound;

    private DatabaseValues()
    {
    }

    public static bool AreReadBy(Expression query)
    {
        var search = new DatabaseValues();
        search.Visit(query);
        return search._isFound;
    }

    // EF Core projects an entity, as an object, to an array of its properties. A query of the application has a type for its rows.
    protected override Expression VisitLambda<T>(Expression<T> node)
    {
        _isFound |= node.Parameters is [{ Type: var row }] && row == typeof(object)
            && node.Body is NewArrayExpression { NodeType: ExpressionType.NewArrayInit } values && values.Type == typeof(object[]);
        return base.VisitLambda(node);
    }
}
