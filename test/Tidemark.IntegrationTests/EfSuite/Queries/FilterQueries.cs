using Microsoft.EntityFrameworkCore;
using static Tidemark.EfSuite.Query;

namespace Tidemark.EfSuite;

/// <summary>Conditions: comparisons, nulls, conditionals, lists, captured values.</summary>
internal static class FilterQueries
{
    private static readonly string[] Wanted = ["CUSTA", "CUSTC", "missing"];
    private static readonly List<int?> MaybeIds = [1, null, 3];
    private static readonly HashSet<Tier> Tiers = [Tier.Silver, Tier.Gold];
    private static readonly OrderStatus[] Statuses = [OrderStatus.Placed, OrderStatus.Returned];
    private static readonly string Missing = "missing";
    private static string? Nothing => null;

    public static readonly Query[] All =
    [
        Rows(db => db.Customers),
        Rows(db => db.Employees),
        Rows(db => db.Products),
        Rows(db => db.Orders),
        Rows(db => db.Lines),
        Rows(db => db.Tags),
        Rows(db => db.Customers.Where(c => c.Id == "CUSTA")),
        Rows(db => db.Customers.Where(c => c.Id == Missing)),
        Rows(db => db.Customers.Where(c => c.ContactName == null)),
        Rows(db => db.Customers.Where(c => c.ContactName == Nothing)),
        Rows(db => db.Customers.Where(c => c.ContactName != Nothing)),
        Rows(db => db.Customers.Where(c => c.ContactName != "x")),
        Rows(db => db.Customers.Where(c => c.Tier == Tier.Gold)),
        Rows(db => db.Customers.Where(c => c.Tier > Tier.Bronze && c.Tier <= Tier.Gold)),
        Rows(db => db.Customers.Where(c => Tiers.Contains(c.Tier))),
        Rows(db => db.Orders.Where(o => o.Status == OrderStatus.Shipped)),
        Rows(db => db.Orders.Where(o => Statuses.Contains(o.Status))),
        Rows(db => db.Customers.Where(c => Wanted.Contains(c.Id))),
        Rows(db => db.Customers.Where(c => !Wanted.Contains(c.Id))),
        Rows(db => db.Customers.Where(c => new[] { "CUSTB", "CUSTD" }.Contains(c.Id))),
        Rows(db => db.Customers.Where(c => Array.Empty<string>().Contains(c.Id))),
        Rows(db => db.Employees.Where(e => MaybeIds.Contains(e.ManagerId))),
        Rows(db => db.Employees.Where(e => MaybeIds.Contains(e.Id))),
        Rows(db => db.Products.Where(p => p.UnitPrice > 10m && p.UnitPrice < 40m || p.IsDiscontinued)),
        Rows(db => db.Products.Where(p => !p.IsDiscontinued && p.UnitPrice.HasValue)),
        Rows(db => db.Products.Where(p => (p.UnitPrice ?? 0m) < 5m)),
        Rows(db => db.Products.Where(p => (p.IsDiscontinued ? 0 : p.Stock) > 3)),
        Rows(db => db.Products.Where(p => p.IsDiscontinued ^ p.Stock > 5)),
        Rows(db => db.Orders.Where(o => o.ShippedAt == null || o.ShippedAt > o.PlacedAt)),
        Rows(db => db.Orders.Where(o => o.Employee!.FirstName == "Nancy")),
        Rows(db => db.Orders.Where(o => o.Customer.Address.City == "London")),
        Rows(db => db.Orders.Where(o => o.Employee!.Manager!.Manager == null)),
        Rows(db => db.Orders.Where(o => o.EmployeeId == o.Employee!.ManagerId)),
        Rows(db => db.Customers.Where(c => c.Id.CompareTo("CUSTF") > 0)),
        Rows(db => db.Customers.Where(c => EF.Property<string>(c, "CompanyName") == "Chai & Co")),
        Rows(db => db.Products.Where(p => p.Codes.Contains("C7"))),
        Rows(db => db.Products.Where(p => p.Codes.Length == 0)),
        Rows(db => db.Products.Where(p => p.Codes.Any(c => c.EndsWith("1")))),
        Rows(db => db.Products.Where(p => p.Codes[0] == "C5")),
        Rows(db => db.Customers.Where(c => true)),
        Rows(db => db.Customers.Where(c => false)),
        Rows(db => db.Customers.Where(c => c.Orders.Count > 4).Where(c => c.Orders.Count < 8)),
        Rows(db => db.Customers.Where(c => c.Equals(db.Customers.First()))),
        Rows(db => db.Customers.OfType<Customer>()),
        Rows(db => db.Orders.Where(o => EF.Constant(3) == o.Id || EF.Parameter(4) == o.Id)),
        Rows(db => db.Orders.IgnoreQueryFilters()),
        Rows(db => db.Orders.IgnoreQueryFilters().Where(o => o.IsDeleted)),
        Rows(db => db.Customers.AsNoTracking()),
        Rows(db => db.Customers.AsTracking()),
        Rows(db => db.Customers.AsNoTracking().AsTracking()),
        Rows(db => db.Customers.AsTracking().AsNoTracking()),
        Rows(db => db.Customers.AsTracking(QueryTrackingBehavior.NoTracking)),
        Rows(db => db.Orders.Include(o => o.Customer).AsNoTrackingWithIdentityResolution()),
        Rows(db => db.Customers.TagWith("a tag").TagWith("another\nof two lines").Where(c => c.Id == "CUSTB")),
        Rows(db => db.Customers.TagWithCallSite()),
        Value(db => db.Customers.Any()),
        Value(db => db.Customers.Any(c => c.Id == "missing")),
        Value(db => db.Customers.All(c => c.Orders.Count > 0)),
        Value(db => db.Customers.Select(c => c.Id).Contains("CUSTC")),
    ];
}
