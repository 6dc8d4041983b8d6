using Microsoft.EntityFrameworkCore;
using static Tidemark.EfSuite.Query;

namespace Tidemark.EfSuite;

/// <summary>Projections that are computed by the server or by the caller, and which of their entities the context tracks.</summary>
internal static class ProjectionQueries
{
    public static readonly Query[] All =
    [
        Rows(db => db.Customers.Select(c => c.Id)),
        Rows(db => db.Customers.Select(c => 1)),
        Rows(db => db.Customers.Select(c => (string?)null)),
        Rows(db => db.Customers.Select(c => new { c.Id, c.CompanyName })),
        Rows(db => db.Customers.Select(c => new Name(c.Id, c.CompanyName))),
        Rows(db => db.Customers.Select(c => new NameHolder { Id = c.Id, Company = c.CompanyName })),
        Rows(db => db.Customers.Select(c => new ValueTuple<string, Tier>(c.Id, c.Tier))),
        Rows(db => db.Customers.Select(c => Tuple.Create(c.Id, c.Orders.Count))),
        Rows(db => db.Customers.Select(c => new object?[] { c.Id, c.Tier, c.ContactName })) with { IsOpaque = true },
        Rows(db => db.Customers.Select(c => new[] { c.Id, c.CompanyName })),
        Rows(db => db.Customers.Select(c => (object)c.Id)) with { IsOpaque = true },
        Rows(db => db.Customers.Select(c => new KeyValuePair<string, Tier>(c.Id, c.Tier))),
        Rows(db => db.Customers.Select(c => c.Tier == Tier.Gold ? "gold" : c.Tier == Tier.Silver ? "silver" : "none")),
        Rows(db => db.Orders.Select(o => o.Customer)),
        Rows(db => db.Orders.Select(o => o.Employee)),
        Rows(db => db.Orders.Select(o => new { o, o.Customer, N = o.Lines.Count })),
        Rows(db => db.Orders.Select(o => new { Inner = new { o.Customer.CompanyName, o.Id }, o.Freight })),
        Rows(db => db.Orders.Select(o => new { Inner = new { o.Customer }, o.Freight })),
        Rows(db => db.Orders.Select(o => new { o.Id, Lines = o.Lines.OrderBy(l => l.ProductId).ToList() })),
        Rows(db => db.Orders.Select(o => o.Lines.OrderBy(l => l.ProductId).Select(l => new { l.Quantity, l.Product.Name }).ToArray())),
        Rows(db => db.Orders.Select(o => new Wrapper<Order>(o))),
        Rows(db => db.Orders.Select(o => new Hidden(o))),
        Rows(db => db.Orders.Select(o => Describe(o))),
        Rows(db => db.Orders.Select(o => Describe(o.Customer))),
        Rows(db => db.Orders.Select(o => new { o.Id, Text = Describe(o) })),
        Rows(db => db.Orders.Select(o => new NameHolder { Id = Describe(o), Company = "x" })),
        Rows(db => db.Orders.Select(o => Label(o.Id, o.Freight))),
        Rows(db => db.Orders.Select(o => o.Lines.Select(l => Describe(l)).ToList())),
        Rows(db => db.Orders.Select(o => (object)o)),
        Rows(db => db.Orders.Select(o => (IComparable?)o.CustomerId)) with { IsOpaque = true },
        Rows(db => db.Orders.Select(o => o.ToString())),
        Rows(db => db.Orders.Select(o => o.Id + Describe(o).Length)),
        Rows(db => db.Orders.Select(o => (System.Collections.IEnumerable)o.Lines.ToList())),
        Rows(db => db.Orders.Select(o => new[] { o.Customer })),
        Rows(db => db.Employees.Select(e => e.FullName)),
        Rows(db => db.Orders.Select(o => o.Employee!.FullName)),
        Rows(db => db.Orders.Select(o => new { o.Id, ((Employee)(object)o.Employee!).FullName })),
        Fail(db => db.Orders.Select(o => o.Lines.ToList().Aggregate(0, (sum, l) => sum + l.Quantity))),
        Rows(db => db.Orders.Select(o => o.Lines.ToList().Count)),
        Rows(db => db.Orders.Select(o => "order " + o)),
        Rows(db => db.Orders.Select(o => $"{o.Id} of {o.Customer}")),
        Rows(db => db.Orders.Select(o => string.Format("{0} {1}", new object[] { o, o.Id }))),
        Rows(db => db.Orders.Select(o => Describer(o))),
        Rows(db => db.Orders.Select(o => o.GetHashCode() == 0 ? 1 : 2)),
        Rows(db => db.Orders.Select(o => o.Equals(null))),
        Rows(db => db.Orders.Select(o => o.Customer.Orders.Contains(o))),
        Rows(db => db.Orders.Select(o => new List<Customer> { o.Customer })),
        Rows(db => db.Orders.Select(o => new Dictionary<string, object> { { "order", o } })),
        Rows(db => db.Orders.Select(o => o.Employee == null ? null : Describe(o.Employee))),
        Rows(db => db.Customers.Where(c => c.Id != "CUSTA").Select(c => new { c.Id }).Where(x => x.Id != "CUSTB").Select(x => x.Id)),
        Rows(db => db.Orders.AsNoTracking().Select(o => Describe(o))),
        Rows(db => db.Totals),
        Rows(db => db.Totals.Where(t => t.Orders > 3).OrderBy(t => t.CustomerId)),
        Rows(db => db.Totals.Select(t => new { t, t.Freight })),
        Value(db => db.Totals.Max(t => t.Freight)),
        Value(db => db.Orders.OrderBy(o => o.Id).Select(o => Describe(o)).First()),
        Value(db => db.Orders.OrderBy(o => o.Id).Select(o => new { o.Id, o.Customer.CompanyName }).Last()),
        Call(db => db.Customers.ToDictionary(c => c.Id), db => db.Customers.ToDictionaryAsync(c => c.Id)),
        Call(db => db.Orders.Select(o => o.Id).ToHashSet(), db => db.Orders.Select(o => o.Id).ToHashSetAsync()),
        Call(db => db.Orders.Select(o => o.CustomerId).ToArray(), db => db.Orders.Select(o => o.CustomerId).ToArrayAsync()),
        Call(db => db.Orders.OrderBy(o => o.Id).AsEnumerable().TakeWhile(o => o.Id < 5).ToList(),
            db => Task.FromResult(db.Orders.OrderBy(o => o.Id).AsEnumerable().TakeWhile(o => o.Id < 5).ToList())),
        Call(db => db.Customers.Find("CUSTC"), async db => await db.Customers.FindAsync("CUSTC")),
        Call(db => db.Lines.Find(7, 2), async db => await db.Lines.FindAsync(7, 2)),
        Call(db => Load(db.Customers), async db => { await db.Customers.LoadAsync(); return db.Customers.Local.Count; }),
    ];

    private static string Describe(object? o) => o switch
    {
        Order order => $"order {order.Id} of {order.CustomerId}",
        Customer customer => customer.CompanyName,
        OrderLine line => $"{line.ProductId}",
        Employee employee => employee.LastName,
        _ => "?",
    };

    private static Func<object, string> Describer => Describe;

    private static string Label(int id, decimal freight) => $"{id}: {freight}";

    private static int Load(DbSet<Customer> customers)
    {
        customers.Load();
        return customers.Local.Count;
    }

    private sealed record Name(string Id, string Company);

    private sealed class NameHolder
    {
        public required string Id { get; init; }

        public required string Company { get; init; }
    }

    private sealed record Wrapper<T>(T Held);

    /// <summary>Takes an entity, and exposes only a text of it.</summary>
    private sealed class Hidden(Order order)
    {
        public string Text => $"{order.Id}";
    }
}
