using Microsoft.EntityFrameworkCore;
using static Tidemark.EfSuite.Query;

namespace Tidemark.EfSuite;

/// <summary>The caller's own SQL and table functions.</summary>
internal static class RawQueries
{
    private static readonly string City = "London";
    private static readonly int Least = 5;

    public static readonly Query[] All =
    [
        Raw(db => db.Customers.FromSql($"SELECT * FROM \"Customers\"")),
        Raw(db => db.Customers.FromSql($"SELECT * FROM \"Customers\" WHERE \"Address_City\" = {City}")),
        Raw(db => db.Customers.FromSqlRaw("SELECT * FROM \"Customers\" WHERE \"Id\" = {0}", "CUSTB")),
        Raw(db => db.Customers.FromSqlRaw("SELECT * FROM \"Customers\"").Where(c => c.Tier == Tier.Gold).OrderBy(c => c.Id)),
        Raw(db => db.Customers.FromSqlRaw("SELECT * FROM \"Customers\"").Include(c => c.Orders)),
        Raw(db => db.Customers.FromSqlRaw("SELECT * FROM \"Customers\"").Include(c => c.Orders).AsSplitQuery()),
        Raw(db => db.Customers.FromSqlRaw("SELECT * FROM \"Customers\"").Select(c => c.Id)),
        Raw(db => db.Customers.FromSqlRaw("SELECT * FROM \"Customers\"").AsNoTracking()),
        Raw(db => db.Customers.Where(c => db.Orders.FromSqlRaw("SELECT * FROM \"Orders\"").Any(o => o.CustomerId == c.Id))),
        Raw(db => db.Orders.Join(db.Customers.FromSqlRaw("SELECT * FROM \"Customers\""), o => o.CustomerId, c => c.Id,
            (o, c) => new { o.Id, c.CompanyName })),
        Raw(db => db.Totals.FromSqlRaw("SELECT * FROM customer_totals")),
        Raw(db => db.Orders.FromSqlRaw("SELECT * FROM \"Orders\" -- a comment; with a semicolon\n").AsNoTracking()),
        Raw(db => db.Database.SqlQuery<int>($"SELECT \"Id\" AS \"Value\" FROM \"Orders\" WHERE \"Id\" > {Least} ORDER BY 1")),
        Raw(db => db.Database.SqlQueryRaw<int>("SELECT \"Id\" AS \"Value\" FROM \"Orders\"").Where(i => i < 9).OrderByDescending(i => i)),
        Raw(db => db.Database.SqlQuery<Pair>($"SELECT \"Id\", \"Name\" FROM \"Products\"")),
        Raw(db => db.Database.SqlQuery<Pair>($"SELECT \"Id\", \"Name\" FROM \"Products\"").Where(p => p.Id > Least).OrderBy(p => p.Name)
            .ThenBy(p => p.Id)),
        Raw(db => db.OrdersOf("CUSTA")),
        Raw(db => db.OrdersOf("CUSTB").Where(o => o.Freight > 10).Include(o => o.Lines)),
        Raw(db => db.Customers.SelectMany(c => db.OrdersOf(c.Id), (c, o) => new { c.Id, Order = o.Id })),
        RawValue(db => db.OrdersOf("CUSTA").Count()),
        Raw(db => db.Customers.FromSqlRaw("SELECT * FROM nowhere")) with { Fails = true },
        Raw(db => db.Customers.FromSqlRaw("SELECT 1 AS \"Id\"")) with { Fails = true },
        Raw(db => db.Database.SqlQueryRaw<int>("SELECT 1/0 AS \"Value\"")) with { Fails = true },
    ];

    private sealed record Pair(int Id, string Name);
}
