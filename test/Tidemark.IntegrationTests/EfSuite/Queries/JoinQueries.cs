using Microsoft.EntityFrameworkCore;
using static Tidemark.EfSuite.Query;

namespace Tidemark.EfSuite;

/// <summary>Joins of every kind.</summary>
internal static class JoinQueries
{
    public static readonly Query[] All =
    [
        Rows(db => db.Customers.Join(db.Orders, c => c.Id, o => o.CustomerId, (c, o) => new { c, o })),
        Rows(db => db.Customers.Join(db.Orders, c => c.Id, o => o.CustomerId, (c, o) => new { c.CompanyName, o.Id })),
        Rows(db => db.Customers.GroupJoin(db.Orders, c => c.Id, o => o.CustomerId, (c, o) => new { c, o })),
        Rows(db => db.Customers.GroupJoin(db.Orders, c => c.Id, o => o.CustomerId, (c, o) => new { c.Id, N = o.Count() })),
        Rows(db => db.Customers.LeftJoin(db.Orders, c => c.Id, o => o.CustomerId, (c, o) => new { c.Id, Order = o == null ? 0 : o.Id })),
        Rows(db => db.Customers.LeftJoin(db.Orders, c => c.Id, o => o.CustomerId, (c, o) => new { c, o })),
        Rows(db => db.Orders.RightJoin(db.Employees, o => o.EmployeeId, e => e.Id, (o, e) => new { e.FirstName, Order = (int?)o!.Id })),
        Rows(db => from c in db.Customers join o in db.Orders on c.Id equals o.CustomerId into os from o in os.DefaultIfEmpty()
            select new { c.Id, o }),
        Rows(db => from c in db.Customers from o in db.Orders.Where(o => o.CustomerId == c.Id) select new { c.Id, O = o.Id }),
        Rows(db => from c in db.Customers from o in db.Orders.Where(o => o.CustomerId == c.Id)
            .DefaultIfEmpty() select new { c.Id, O = (int?)o.Id }),
        Rows(db => from c in db.Customers from o in c.Orders select o),
        Rows(db => from c in db.Customers from o in c.Orders from l in o.Lines select new { c.Id, l.ProductId, l.Quantity }),
        Rows(db => from c in db.Customers from o in c.Orders.OrderBy(o => o.Id).Take(2) select new { c.Id, o.Freight }),
        Rows(db => from a in db.Tags from b in db.Tags select new { A = a.Id, B = b.Id }),
        Rows(db => from a in db.Employees join b in db.Employees on a.Id equals b.ManagerId select new { Boss = a.LastName, b.LastName }),
        Rows(db => from l in db.Lines join p in db.Products on l.ProductId equals p.Id where p.UnitPrice < l.UnitPrice
            select new { l.OrderId, p.Name }),
        Rows(db => from o in db.Orders join l in db.Lines on new { A = o.Id, B = (short)3 } equals new { A = l.OrderId,
            B = l.Quantity } select l),
        Rows(db => from o in db.Orders let t = o.Lines.Sum(l => l.UnitPrice * l.Quantity) where t > 100 select new { o.Id, t }),
        Rows(db => db.Orders.SelectMany(o => o.Lines)),
        Rows(db => db.Orders.SelectMany(o => o.Lines, (o, l) => new { o.Id, l.UnitPrice })),
        Rows(db => db.Orders.SelectMany(o => o.Lines, (o, l) => new { o, l.UnitPrice })),
        Rows(db => db.Customers.SelectMany(c => c.Orders.DefaultIfEmpty(), (c, o) => new { c.Id, Freight = (decimal?)o!.Freight })),
        Rows(db => db.Products.SelectMany(p => p.Tags, (p, t) => new { p.Id, t.Name })),
        Rows(db => db.Products.SelectMany(p => p.Codes, (p, c) => new { p.Id, c })),
        Rows(db => db.Orders.AsNoTracking().Join(db.Customers.AsTracking(), o => o.CustomerId, c => c.Id, (o, c) => new { o, c })),
        Rows(db => db.Orders.AsTracking().Join(db.Customers.AsNoTracking(), o => o.CustomerId, c => c.Id, (o, c) => new { o, c })),
        Rows(db => db.Customers.AsNoTracking().SelectMany(c => db.Orders.AsTracking().Where(o => o.CustomerId == c.Id))),
        Rows(db => db.Orders.Join(db.Totals, o => o.CustomerId, t => t.CustomerId, (o, t) => new { o.Id, t.Freight })),
        Value(db => db.Customers.Join(db.Orders, c => c.Id, o => o.CustomerId, (c, o) => o.Freight).Sum()),
        Value(db => (from a in db.Tags from b in db.Products select 1).Count()),
    ];
}
