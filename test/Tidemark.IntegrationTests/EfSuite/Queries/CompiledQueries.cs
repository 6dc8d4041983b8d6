using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using static Tidemark.EfSuite.Query;

namespace Tidemark.EfSuite;

/// <summary>Queries that are compiled once and reused.</summary>
internal sealed class CompiledQueries
{
    // A compiled query belongs to one model, and each provider's contexts have their own. It tracks like the first context that ran it.
    private static readonly ConcurrentDictionary<(IModel Model, QueryTrackingBehavior Tracking), CompiledQueries> Compiled = new();

    private readonly Func<NorthwindContext, int,
        Order?> _orderById = EF.CompileQuery((NorthwindContext db, int id) => db.Orders.FirstOrDefault(o => o.Id == id));
    private readonly Func<NorthwindContext, int, Task<Order?>> _orderByIdAsync =
        EF.CompileAsyncQuery((NorthwindContext db, int id) => db.Orders.FirstOrDefault(o => o.Id == id));
    private readonly Func<NorthwindContext,
        IEnumerable<string>> _names = EF.CompileQuery((NorthwindContext db) => db.Customers.OrderBy(c => c.Id).Select(c => c.CompanyName));
    private readonly Func<NorthwindContext, IAsyncEnumerable<string>> _namesAsync =
        EF.CompileAsyncQuery((NorthwindContext db) => db.Customers.OrderBy(c => c.Id).Select(c => c.CompanyName));
    private readonly Func<NorthwindContext, string, IEnumerable<Customer>> _fresh =
        EF.CompileQuery((NorthwindContext db, string city) => db.Customers.AsNoTracking().Include(c => c.Orders)
            .Where(c => c.Address.City == city));
    private readonly Func<NorthwindContext, string, IAsyncEnumerable<Customer>> _freshAsync =
        EF.CompileAsyncQuery((NorthwindContext db, string city) => db.Customers.AsNoTracking().Include(c => c.Orders)
            .Where(c => c.Address.City == city));
    private readonly Func<NorthwindContext, decimal,
        int> _countAbove = EF.CompileQuery((NorthwindContext db, decimal freight) => db.Orders.Count(o => o.Freight > freight));
    private readonly Func<NorthwindContext, decimal, Task<int>> _countAboveAsync =
        EF.CompileAsyncQuery((NorthwindContext db, decimal freight) => db.Orders.Count(o => o.Freight > freight));
    private readonly Func<NorthwindContext, int[], IEnumerable<Product>> _listed =
        EF.CompileQuery((NorthwindContext db, int[] ids) => db.Products.Where(p => ids.Contains(p.Id)));
    private readonly Func<NorthwindContext, int[], IAsyncEnumerable<Product>> _listedAsync =
        EF.CompileAsyncQuery((NorthwindContext db, int[] ids) => db.Products.Where(p => ids.Contains(p.Id)));

    public static readonly Query[] All =
    [
        Call(db => Of(db)._orderById(db, 5), db => Of(db)._orderByIdAsync(db, 5)),
        Call(db => Of(db)._orderById(db, 500), db => Of(db)._orderByIdAsync(db, 500)),
        Call(db => Of(db)._names(db).ToList(), db => GatherAsync(Of(db)._namesAsync(db))),
        Call(db => Of(db)._fresh(db, "London").ToList(), db => GatherAsync(Of(db)._freshAsync(db, "London"))),
        Call(db => Of(db)._countAbove(db, 40), db => Of(db)._countAboveAsync(db, 40)),
        Call(db => Of(db)._listed(db, [1, 4, 9]).ToList(), db => GatherAsync(Of(db)._listedAsync(db, [1, 4, 9]))),
        Call(db => new[] { Of(db)._countAbove(db, 10), Of(db)._countAbove(db, 90) },
            async db => new[] { await Of(db)._countAboveAsync(db, 10), await Of(db)._countAboveAsync(db, 90) }),
    ];

    private static CompiledQueries Of(NorthwindContext context) =>
        Compiled.GetOrAdd((context.Model, context.ChangeTracker.QueryTrackingBehavior), _ => new CompiledQueries());

    private static async Task<List<T>> GatherAsync<T>(IAsyncEnumerable<T> rows)
    {
        var gathered = new List<T>();
        await foreach (var row in rows) gathered.Add(row);
        return gathered;
    }
}
