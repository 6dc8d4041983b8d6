using Microsoft.EntityFrameworkCore;
using static Tidemark.EfSuite.Query;

namespace Tidemark.EfSuite;

/// <summary>Union, intersection, difference.</summary>
internal static class SetQueries
{
    public static readonly Query[] All =
    [
        Fail(db => db.Customers.Where(c => c.Tier == Tier.Gold).Union(db.Customers.Where(c => c.Address.City == "London"))),
        Fail(db => db.Customers.Where(c => c.Tier == Tier.Gold).Concat(db.Customers.Where(c => c.Address.City == "Paris"))),
        Rows(db => db.Products.Where(p => p.Stock > 3).Intersect(db.Products.Where(p => p.UnitPrice > 20))),
        Rows(db => db.Products.Except(db.Products.Where(p => p.IsDiscontinued))),
        Rows(db => db.Customers.Select(c => c.Address.City).Union(db.Employees.Select(e => e.FirstName))),
        Rows(db => db.Customers.Select(c => c.Id).Concat(db.Orders.Select(o => o.CustomerId))),
        Rows(db => db.Customers.Select(c => c.Id).Except(db.Orders.Select(o => o.CustomerId))),
        Rows(db => db.Customers.Select(c => c.Id).Intersect(db.Orders.Select(o => o.CustomerId))),
        Rows(db => db.Orders.Select(o => new { o.Id, Of = "order" }).Union(db.Products.Select(p => new { p.Id, Of = "product" }))
            .OrderBy(x => x.Id).ThenBy(x => x.Of)),
        Rows(db => db.Products.Where(p => p.Id < 4).Union(db.Products.Where(p => p.Id > 18)).OrderByDescending(p => p.Id).Take(3)),
        Rows(db => db.Products.Where(p => p.Id < 4).Union(db.Products.Where(p => p.Id > 18)).Include(p => p.Category)),
        Rows(db => db.Products.Where(p => p.Id < 4).Union(db.Products.Where(p => p.Id == 5)).Union(db.Products.Where(p => p.Id == 9))),
        Rows(db => db.Products.Where(p => p.Id < 9).ExceptBy(new[] { 3, 4 }, p => p.Id)) with { Fails = true },
        Rows(db => db.Products.Select(p => p.CategoryId).Distinct().OrderBy(i => i)),
        Rows(db => db.Orders.Where(o => o.Id < 5).AsNoTracking().Concat(db.Orders.AsTracking().Where(o => o.Id > 40))),
        Rows(db => db.Payments.OfType<CardPayment>().Select(p => p.Amount)
            .Union(db.Payments.OfType<TransferPayment>().Select(p => p.Amount))),
        Value(db => db.Products.Where(p => p.Id < 4).Union(db.Products.Where(p => p.Id > 18)).Count()),
        Value(db => db.Customers.Select(c => c.Id).Concat(db.Orders.Select(o => o.CustomerId)).Distinct().Count()),
    ];
}
