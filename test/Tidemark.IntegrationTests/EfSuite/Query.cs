using System.Linq.Expressions;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Query;

namespace Tidemark.EfSuite;

/// <summary>One query of the suite: how to run it, and what is expected beyond the same result as without Tidemark.</summary>
internal sealed record Query(string Text, Func<NorthwindContext, bool, CancellationToken, Task<object?>> RunAsync)
{
    /// <summary>Whether the query contains the caller's own SQL or table function, which may write.</summary>
    public bool IsRaw { get; init; }

    /// <summary>Whether the result type allows any value, so that the query counts as tracking.</summary>
    public bool IsOpaque { get; init; }

    /// <summary>Whether the query is expected to fail.</summary>
    public bool Fails { get; init; }

    /// <summary>Returns all rows of a query.</summary>
    public static Query Rows<T>(Func<NorthwindContext, IQueryable<T>> query, [CallerArgumentExpression(nameof(query))] string text = "") =>
        new(text, async (db, sync, stop) => sync ? query(db).ToList() : await query(db).ToListAsync(stop));

    /// <summary>
    /// Returns the value of an operator such as <c>Count</c> or <c>First</c>. EF Core builds its own asynchronous operators from the same
    /// parts.
    /// </summary>
    public static Query Value<T>(Expression<Func<NorthwindContext, T>> query, [CallerArgumentExpression(nameof(query))] string text = "") =>
        new(text, async (db, sync, stop) =>
        {
            var body = new ContextFiller(query.Parameters[0], db).Visit(query.Body);
            var provider = (IAsyncQueryProvider)((IQueryable)db.Customers).Provider;
            return sync ? provider.Execute<T>(body) : await provider.ExecuteAsync<Task<T>>(body, stop);
        });

    /// <summary>Calls any other method of a context.</summary>
    public static Query Call<T>(
        Func<NorthwindContext, T> sync, Func<NorthwindContext, Task<T>> async, [CallerArgumentExpression(nameof(sync))] string text = "") =>
        new(text, async (db, isSync, _) => isSync ? sync(db) : await async(db));

    public static Query Fail<T>(Func<NorthwindContext, IQueryable<T>> query, [CallerArgumentExpression(nameof(query))] string text = "") =>
        Rows(query, text) with { Fails = true };

    public static Query FailValue<T>(Expression<Func<NorthwindContext, T>> query,
        [CallerArgumentExpression(nameof(query))] string text = "") =>
        Value(query, text) with { Fails = true };

    public static Query Raw<T>(Func<NorthwindContext, IQueryable<T>> query, [CallerArgumentExpression(nameof(query))] string text = "") =>
        Rows(query, text) with { IsRaw = true };

    public static Query RawValue<T>(Expression<Func<NorthwindContext, T>> query,
        [CallerArgumentExpression(nameof(query))] string text = "") =>
        Value(query, text) with { IsRaw = true };

    /// <summary>Replaces expressions such as <c>db.Customers</c> in the lambda with the sets of a context.</summary>
    private sealed class ContextFiller(ParameterExpression parameter, NorthwindContext context) : ExpressionVisitor
    {
        protected override Expression VisitMember(MemberExpression node) =>
            node.Expression == parameter && node.Member is System.Reflection.PropertyInfo property
                && property.GetValue(context) is IQueryable set
                ? set.Expression
                : base.VisitMember(node);

        protected override Expression VisitParameter(ParameterExpression node) => node == parameter ? Expression.Constant(context) : node;
    }
}
