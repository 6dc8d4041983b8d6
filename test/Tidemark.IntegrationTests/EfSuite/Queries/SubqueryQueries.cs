using Microsoft.EntityFrameworkCore;
using static Tidemark.EfSuite.Query;

namespace Tidemark.EfSuite;

/// <summary>Queries within queries.</summary>
internal static class SubqueryQueries
{
    private static readonly int Least = 3;

    public static readonly Query[] All =
    [
        Rows(db => db.Customers.Where(c => c.Orders.Any())),
        Rows(db => db.Customers.Where(c => !c.Orders.Any(o => o.Freight > 60))),
        Rows(db => db.Customers.Where(c => c.Orders.All(o => o.Status != OrderStatus.Returned))),
        Rows(db => db.Customers.Where(c => c.Orders.Count(o => o.Freight > 10) >= Least)),
        Rows(db => db.Customers.Where(c => db.Orders.Any(o => o.CustomerId == c.Id && o.Lines.Any(l => l.Product.Name.StartsWith("C"))))),
        Rows(db => db.Customers.Where(c => db.Orders.Select(o => o.CustomerId).Contains(c.Id))),
        Rows(db => db.Products.Where(p => p.UnitPrice > db.Products.Average(q => q.UnitPrice))),
        Rows(db => db.Products.Where(p => p.UnitPrice == db.Products.Max(q => q.UnitPrice))),
        Rows(db => db.Products.Where(p => p.Lines.Sum(l => l.Quantity) > 10)),
        Rows(db => db.Orders.Where(o => o.Lines.OrderBy(l => l.ProductId).First().Quantity > 3)),
        Rows(db => db.Orders.Where(o => o.Lines.OrderBy(l => l.ProductId).FirstOrDefault()!.Product.Category!.Name == "Category 2")),
        Rows(db => db.Customers.Select(c =>
            new { c.Id, Last = c.Orders.OrderByDescending(o => o.PlacedAt).Select(o => (int?)o.Id).FirstOrDefault() })),
        Rows(db => db.Customers.Select(c => new { c.Id, Last = c.Orders.OrderByDescending(o => o.PlacedAt).FirstOrDefault() })),
        Rows(db => db.Customers.Select(c => new { c.Id, Orders = c.Orders.OrderBy(o => o.Id).Select(o => o.Freight).ToList() })),
        Rows(db => db.Customers.Select(c =>
            new { c.Id, Orders = c.Orders.Where(o => o.Freight > 20).OrderBy(o => o.Id).Take(2).ToArray() })),
        Rows(db => db.Customers.Select(c =>
            new { c.Id, Big = db.Orders.Count(o => o.CustomerId == c.Id && o.Freight > c.Orders.Average(p => p.Freight)) })),
        Rows(db => db.Orders.Select(o =>
            new { o.Id, Total = o.Lines.Sum(l => l.Quantity * l.UnitPrice), Names = o.Lines.Select(l => l.Product.Name).Order()
            .ToList() })),
        Rows(db => db.Employees.Where(e => e.Reports.Any(r => r.Reports.Any()))),
        Rows(db => db.Employees.Select(e => new { e.LastName, N = e.Reports.Count, Boss = e.Manager!.Manager!.LastName })),
        Rows(db => db.Orders.Where(o => o.Customer.Orders.Max(x => x.Id) == o.Id)),
        Rows(db => db.Tags.Where(t => t.Products.Any(p => p.Category!.Products.Count > 4))),
        Rows(db => db.Orders.Where(o => o.Payments.Any(p => p is CardPayment))),
        Rows(db => db.Customers.Where(c => c.Preferences!.Favourites.Any(f => f.Rating > 3))),
        Value(db => db.Customers.Count(c => c.Orders.SelectMany(o => o.Lines).Any(l => l.Discount > 0.2))),
        Value(db => db.Customers.OrderBy(c => c.Id).Select(c => c.Orders.OrderBy(o => o.Id).First()).First()),
        Value(db => db.Customers.Where(c => c.Id == "CUSTA").Select(c => db.Employees.Count()).Single()),
    ];
}
