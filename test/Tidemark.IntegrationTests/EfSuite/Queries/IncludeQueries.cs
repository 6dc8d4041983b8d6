using Microsoft.EntityFrameworkCore;
using static Tidemark.EfSuite.Query;

namespace Tidemark.EfSuite;

/// <summary>Related entities, loaded in one query or several, and the model's own includes and filters.</summary>
internal static class IncludeQueries
{
    public static readonly Query[] All =
    [
        Rows(db => db.Orders.Include(o => o.Customer)),
        Rows(db => db.Orders.Include(o => o.Lines)),
        Rows(db => db.Orders.Include("Lines.Product.Category")),
        Rows(db => db.Customers.Include(c => c.Orders)),
        Rows(db => db.Customers.Include(c => c.Orders).ThenInclude(o => o.Lines).ThenInclude(l => l.Product)),
        Rows(db => db.Customers.Include(c => c.Orders).ThenInclude(o => o.Lines).Include(c => c.Orders).ThenInclude(o => o.Payments)),
        Rows(db => db.Customers.Include(c => c.Orders.Where(o => o.Freight > 30).OrderByDescending(o => o.Freight).Take(2))),
        Rows(db => db.Customers.Include(c => c.Orders.OrderBy(o => o.PlacedAt).Skip(1).Take(1)).ThenInclude(o => o.Employee)),
        Rows(db => db.Orders.Include(o => o.Lines.Where(l => l.Quantity > 2)).ThenInclude(l => l.Product.Tags)),
        Rows(db => db.Orders.OrderBy(o => o.Id).Skip(3).Take(4).Include(o => o.Lines).Include(o => o.Customer)),
        Rows(db => db.Employees.Include(e => e.Manager).ThenInclude(m => m!.Manager)),
        Rows(db => db.Employees.Include(e => e.Reports).ThenInclude(r => r.Reports)),
        Rows(db => db.Products.Include(p => p.Tags)),
        Rows(db => db.Tags.Include(t => t.Products).ThenInclude(p => p.Category)),
        Rows(db => db.Categories),
        Rows(db => db.Categories.IgnoreAutoIncludes()),
        Rows(db => db.Categories.Include(c => c.Products)),
        Rows(db => db.Products.Include(p => p.Category)),
        Rows(db => db.Lines.Include(l => l.Order)),
        Rows(db => db.Lines.IgnoreQueryFilters().Include(l => l.Order)),
        Rows(db => db.Payments.Include(p => p.Order.Customer)),
        Rows(db => db.Orders.Include(o => o.Payments)),
        Rows(db => db.Customers.Include(c => c.Orders).AsSplitQuery()),
        Rows(db => db.Customers.Include(c => c.Orders).ThenInclude(o => o.Lines).AsSplitQuery()),
        Rows(db => db.Customers.Include(c => c.Orders).ThenInclude(o => o.Lines).Include(c => c.Orders).ThenInclude(o => o.Payments)
            .AsSplitQuery()),
        Rows(db => db.Customers.OrderBy(c => c.Id).Skip(2).Take(3).Include(c => c.Orders.Where(o => o.Freight > 10)).AsSplitQuery()),
        Rows(db => db.Orders.Include(o => o.Customer).Include(o => o.Lines).AsSplitQuery().AsSingleQuery()),
        Rows(db => db.Customers.Select(c => new { c.Id, O = c.Orders.OrderBy(o => o.Id).Select(o => o.Id).ToList() }).AsSplitQuery()),
        Rows(db => db.Customers.Include(c => c.Orders).AsSplitQuery().AsNoTrackingWithIdentityResolution()),
        Rows(db => db.Customers.Include(c => c.Orders).AsNoTrackingWithIdentityResolution()),
        Rows(db => db.Products.Include(p => p.Tags).AsSplitQuery()),
        Rows(db => db.Employees.Include(e => e.Reports).Include(e => e.Orders).AsSplitQuery()),
        Value(db => db.Customers.Include(c => c.Orders).AsSplitQuery().OrderBy(c => c.Id).First()),
        Value(db => db.Orders.Include(o => o.Lines).ThenInclude(l => l.Product).Single(o => o.Id == 7)),
        Value(db => db.Customers.Include(c => c.Orders).Count()),
    ];
}
