using Microsoft.EntityFrameworkCore;
using static Tidemark.EfSuite.Query;

namespace Tidemark.EfSuite;

/// <summary>Groups and aggregates.</summary>
internal static class GroupQueries
{
    public static readonly Query[] All =
    [
        Rows(db => db.Orders.GroupBy(o => o.CustomerId).Select(g => new { g.Key, N = g.Count() })),
        Rows(db => db.Orders.GroupBy(o => o.CustomerId)
            .Select(g => new { g.Key, Sum = g.Sum(o => o.Freight), Max = g.Max(o => o.PlacedAt) })),
        Rows(db => db.Orders.GroupBy(o => o.CustomerId).Where(g => g.Count() > 4).Select(g => g.Key)),
        Rows(db => db.Orders.GroupBy(o => new { o.CustomerId, o.Status })
            .Select(g => new { g.Key.CustomerId, g.Key.Status, Avg = g.Average(o => o.Freight) })),
        Rows(db => db.Orders.GroupBy(o => o.PlacedAt.Month).OrderBy(g => g.Key).Select(g => new { g.Key, N = g.LongCount() })),
        Rows(db => db.Orders.GroupBy(o => o.EmployeeId).Select(g => new { g.Key, First = g.Min(o => o.Id) })),
        Rows(db => db.Orders.GroupBy(o => o.Customer.Address.City).Select(g => new { g.Key, N = g.Count(o => o.Freight > 20) })),
        Rows(db => db.Orders.GroupBy(o => o.CustomerId)),
        Rows(db => db.Orders.GroupBy(o => o.Status, o => o.Id)),
        Rows(db => db.Products.GroupBy(p => p.IsDiscontinued)
            .Select(g => new { g.Key, Names = g.OrderBy(p => p.Id).Select(p => p.Name).ToList() })),
        Rows(db => db.Products.GroupBy(p => p.CategoryId).Select(g => g.OrderByDescending(p => p.UnitPrice).First())),
        Rows(db => db.Products.GroupBy(p => p.CategoryId).Select(g => g.OrderBy(p => p.Id).Select(p => p.Name).FirstOrDefault())),
        Rows(db => db.Products.GroupBy(p => p.CategoryId)
            .Select(g => new { g.Key, Text = string.Join(", ", g.OrderBy(p => p.Id).Select(p => p.Name)) })),
        Rows(db => db.Products.GroupBy(p => p.Stock % 3, (k, g) => new { k, S = g.Sum(p => p.Stock) })),
        Rows(db => db.Products.GroupBy(p => 1).Select(g => new { N = g.Count(), Max = g.Max(p => p.UnitPrice) })),
        Rows(db => db.Lines.GroupBy(l => l.Product.Category!.Name)
            .Select(g => new { g.Key, Total = g.Sum(l => l.UnitPrice * l.Quantity) })),
        Rows(db => db.Lines.GroupBy(l => l.Order.CustomerId).Select(g => new { g.Key, N = g.Select(l => l.ProductId).Distinct().Count() })),
        Rows(db => db.Customers.GroupBy(c => c.Tier).Select(g => new { g.Key, N = g.Count() }).OrderBy(x => x.Key)),
        Rows(db => from o in db.Orders group o by o.CustomerId into g join c in db.Customers on g.Key equals c.Id
            select new { c.CompanyName, N = g.Count() }) with { Fails = true },
        Rows(db => db.Orders.CountBy(o => o.Status)) with { Fails = true },
        Rows(db => db.Customers.Select(c => c.Address.Country).Distinct()),
        Rows(db => db.Orders.Select(o => new { o.CustomerId, o.Status }).Distinct()),
        Value(db => db.Orders.Count()),
        Value(db => db.Orders.Count(o => o.Freight > 50)),
        Value(db => db.Orders.LongCount()),
        Value(db => db.Orders.Sum(o => o.Freight)),
        Value(db => db.Orders.Where(o => o.Id < 0).Sum(o => o.Freight)),
        Value(db => db.Orders.Average(o => o.Freight)),
        Value(db => db.Orders.Average(o => o.Id)),
        Value(db => db.Orders.Where(o => o.Id < 0).Average(o => (decimal?)o.Freight)),
        Value(db => db.Orders.Min(o => o.PlacedAt)),
        Value(db => db.Orders.Max(o => o.ShippedAt)),
        Value(db => db.Products.Sum(p => p.UnitPrice)),
        Value(db => db.Lines.Sum(l => l.UnitPrice * l.Quantity * (decimal)(1 - l.Discount))),
        Value(db => db.Lines.Average(l => l.Discount)),
        Value(db => db.Orders.Select(o => o.CustomerId).Distinct().Count()),
        Value(db => db.Customers.Max(c => c.Tier)),
        Value(db => db.Customers.Sum(c => c.Orders.Count)),
        Value(db => db.Customers.Max(c => c.Orders.Sum(o => o.Freight))),
        Value(db => db.Orders.GroupBy(o => o.CustomerId).Count()),
        FailValue(db => db.Orders.GroupBy(o => o.CustomerId).Max(g => g.Count())),
    ];
}
