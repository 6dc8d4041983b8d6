using Microsoft.EntityFrameworkCore;
using static Tidemark.EfSuite.Query;

namespace Tidemark.EfSuite;

/// <summary>Order, pages, single rows.</summary>
internal static class OrderQueries
{
    private static readonly int Page = 2;

    public static readonly Query[] All =
    [
        Rows(db => db.Customers.OrderBy(c => c.CompanyName)),
        Rows(db => db.Customers.OrderByDescending(c => c.Address.City).ThenBy(c => c.Id)),
        Rows(db => db.Products.OrderBy(p => p.UnitPrice).ThenByDescending(p => p.Name)),
        Rows(db => db.Products.OrderBy(p => p.UnitPrice == null).ThenBy(p => p.UnitPrice)),
        Rows(db => db.Products.OrderBy(p => p.Category!.Name).ThenBy(p => p.Id)),
        Rows(db => db.Products.Order().Select(p => p.Id)),
        Rows(db => db.Products.Select(p => p.Name).Order()),
        Rows(db => db.Products.Select(p => p.Name).OrderDescending().Take(3)),
        Rows(db => db.Orders.OrderBy(o => o.Id).Skip(5).Take(5)),
        Rows(db => db.Orders.OrderBy(o => o.Id).Take(10).Skip(Page).Take(3)),
        Rows(db => db.Orders.OrderBy(o => o.PlacedAt).Skip(40)),
        Rows(db => db.Orders.OrderBy(o => o.Id).Take(0)),
        Rows(db => db.Orders.OrderByDescending(o => o.Lines.Count).ThenBy(o => o.Id).Take(4)),
        Rows(db => db.Orders.OrderBy(o => o.Freight).Reverse().Take(4)),
        Rows(db => db.Orders.OrderBy(o => o.Id).Where(o => o.Id > 9).Take(Page * 2).OrderByDescending(o => o.Freight)),
        Rows(db => db.Orders.Where(o => o.Id > 7).OrderBy(o => o.Id).Take(5).Select(o => o.Id)),
        Rows(db => db.Orders.OrderBy(o => EF.Functions.Random()).Select(o => 1)),
        Rows(db => db.Employees.OrderBy(e => e.Manager!.LastName).ThenBy(e => e.Id).Select(e => e.LastName)),
        Rows(db => db.Employees.OrderBy(e => e.Contact.Phone).ThenBy(e => e.Id)),
        Rows(db => db.Customers.OrderBy(c => c.Tier).ThenBy(c => c.Id)),
        Value(db => db.Customers.OrderBy(c => c.Id).First()),
        Value(db => db.Customers.OrderBy(c => c.Id).First(c => c.Address.City == "Paris")),
        Value(db => db.Customers.OrderBy(c => c.Id).FirstOrDefault(c => c.Id == "missing")),
        Value(db => db.Customers.OrderBy(c => c.Id).Last()),
        Value(db => db.Customers.OrderBy(c => c.Id).LastOrDefault(c => c.Tier == Tier.Gold)),
        Value(db => db.Customers.Single(c => c.Id == "CUSTD")),
        Value(db => db.Customers.SingleOrDefault(c => c.Id == "missing")),
        Value(db => db.Orders.OrderBy(o => o.Id).ElementAt(6)),
        Value(db => db.Orders.OrderBy(o => o.Id).ElementAtOrDefault(600)),
        Value(db => db.Orders.OrderBy(o => o.Id).Select(o => o.Freight).FirstOrDefault()),
        Value(db => db.Orders.Where(o => o.Id < 0).Select(o => o.Freight).FirstOrDefault()),
        FailValue(db => db.Products.MinBy(p => p.UnitPrice)),
        FailValue(db => db.Products.Where(p => p.UnitPrice != null).MaxBy(p => p.UnitPrice)),
    ];
}
