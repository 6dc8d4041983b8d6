using System.Linq.Expressions;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Query;

namespace Tidemark.EfSuite;

/// <summary>One query of the suite: how to run it, and what is expected of it beyond being the same as without Tidemark.</summary>
internal sealed record Query(string Text, Func<NorthwindContext, bool, CancellationToken, Task<object?>> RunAsync)
{
    /// <summary>It has SQL or a table function of the caller's own, which nobody knows not to write.</summary>
    public bool IsRaw { get; init; }

    /// <summary>What it returns may be anything by its type, so that it counts as tracking.</summary>
    public bool IsOpaque { get; init; }

    /// <summary>It is there for its error.</summary>
    public bool Fails { get; init; }

    /// <summary>All rows of a query.</summary>
    public static Query Rows<T>(Func<NorthwindContext, IQueryable<T>> query, [CallerArgumentExpression(nameof(query))] string text = "") =>
        new(text, async (db, sync, stop) => sync ? query(db).ToList() : await query(db).ToListAsync(stop));

    /// <summary>
    /// What an operator such as <c>Count</c> or <c>First</c> gives; EF Core's own asynchronous operators are made of the same.
    /// </summary>
    public static Query Value<T>(Expression<Func<NorthwindContext, T>> query, [CallerArgumentExpression(nameof(query))] string text = "") =>
        new(text, async (db, sync, stop) =>
        {
            var body = new ContextFiller(query.Parameters[0], db).Visit(query.Body);
            var provider = (IAsyncQueryProvider)((IQueryable)db.Customers).Provider;
            return sync ? provider.Execute<T>(body) : await provider.ExecuteAsync<Task<T>>(body, stop);
        });

    /// <summary>Whatever else a context can be asked.</summary>
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

    /// <summary>Puts the sets of a context where the lambda says <c>db.Customers</c>.</summary>
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
