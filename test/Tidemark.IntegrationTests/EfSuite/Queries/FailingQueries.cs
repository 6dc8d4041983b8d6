using Microsoft.EntityFrameworkCore;
using static Tidemark.EfSuite.Query;

namespace Tidemark.EfSuite;

/// <summary>Queries that fail with an error of EF Core, the server or the caller.</summary>
internal static class FailingQueries
{
    public static readonly Query[] All =
    [
        Fail(db => db.Orders.Where(o => Odd(o.Id))),
        Fail(db => db.Orders.OrderBy(o => Odd(o.Id))),
        Fail(db => db.Orders.Where(o => o.Lines.TakeWhile(l => l.Quantity > 1).Any())),
        Fail(db => db.Products.Select(p => p.Stock / (p.Stock - p.Stock))),
        Fail(db => db.Products.OrderBy(p => p.Id).Select(p => 1 / (p.Id - 19))),
        Fail(db => db.Orders.Select(o => Throw(o.Id))),
        Fail(db => db.Orders.OrderBy(o => o.Id).Select(o => o.Id > 3 ? Throw(o.Id) : 0)),
        Fail(db => db.Orders.Include("Nothing")),
        Fail(db => db.Orders.Select(o => EF.Property<int>(o, "Nothing"))),
        Fail(db => db.Orders.Where(o => o.PlacedAt > new DateTime(2025, 1, 1, 0, 0, 0, DateTimeKind.Local))),
        Fail(db => db.Set<Query>()),
        Fail(db => db.Orders.Select(o => o.Employee!.ManagerId!.Value)),
        Fail(db => db.Orders.Where(o => EF.Functions.Like(o.CustomerId, "a\\", "xx"))),
        Fail(db => db.Customers.Where(c => System.Text.RegularExpressions.Regex.IsMatch(c.Id, "("))),
        Fail(db => db.Customers.Select(c => c.Orders.Single().Id)),
        FailValue(db => db.Orders.First(o => o.Id < 0)),
        FailValue(db => db.Orders.Single()),
        FailValue(db => db.Orders.Single(o => o.Id < 0)),
        FailValue(db => db.Orders.SingleOrDefault(o => o.Id < 9)),
        FailValue(db => db.Orders.Last()),
        FailValue(db => db.Orders.OrderBy(o => o.Id).ElementAt(600)),
        FailValue(db => db.Orders.Where(o => o.Id < 0).Max(o => o.Freight)),
        FailValue(db => db.Orders.Where(o => o.Id < 0).Average(o => o.Freight)),
        FailValue(db => db.Orders.Sum(o => 1 / (o.Id - o.Id))),
        FailValue(db => db.Lines.Max(l => l.Quantity * int.MaxValue)),
        Call(db => db.Customers.Find(5), async db => await db.Customers.FindAsync(5)) with { Fails = true },
        Call(db => db.Database.SqlQueryRaw<int>("SELEKT 1").ToList(), db => db.Database.SqlQueryRaw<int>("SELEKT 1")
            .ToListAsync()) with { Fails = true, IsRaw = true },
    ];

    private static bool Odd(int value) => value % 2 == 1;

    private static int Throw(int value) => throw new FormatException($"The caller's own error at {value}.");
}
