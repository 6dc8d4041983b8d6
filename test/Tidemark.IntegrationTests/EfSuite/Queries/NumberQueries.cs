using Microsoft.EntityFrameworkCore;
using static Tidemark.EfSuite.Query;

namespace Tidemark.EfSuite;

/// <summary>Functions on numbers, dates and times, and functions of the database.</summary>
internal static class NumberQueries
{
    private static readonly DateTime Day = new(2025, 2, 1, 0, 0, 0, DateTimeKind.Utc);

    public static readonly Query[] All =
    [
        Rows(db => db.Orders.Select(o => Math.Round(o.Freight / 3, 2))),
        Rows(db => db.Orders.Select(o => Math.Floor(o.Freight) + Math.Ceiling(o.Freight))),
        Rows(db => db.Orders.Select(o => Math.Abs(o.Id - 20))),
        Rows(db => db.Lines.Select(l => Math.Sqrt(l.Discount) + Math.Pow(l.Discount, 2))),
        Rows(db => db.Lines.Select(l => Math.Sin(l.Discount) * Math.Exp(l.Discount))),
        Rows(db => db.Orders.Select(o => Math.Max(o.Id, 10) - Math.Min(o.Id, 5))),
        Rows(db => db.Orders.Select(o => o.Id % 7 + o.Id / 3 * 2 - -o.Id)),
        Rows(db => db.Orders.Select(o => (o.Id & 6) | 1)),
        Rows(db => db.Orders.Select(o => (double)o.Freight / 7)),
        Rows(db => db.Orders.Select(o => Convert.ToInt32(o.Freight))),
        Rows(db => db.Products.Select(p => p.UnitPrice * p.Stock)),
        Rows(db => db.Products.Select(p => Math.Sign(p.Stock - 5))),
        Rows(db => db.Products.Select(p => Math.Truncate(p.UnitPrice ?? 0))),
        Rows(db => db.Products.Where(p => NorthwindContext.Doubled(p.Stock) > 10).Select(p => NorthwindContext.Doubled(p.Id))),
        Rows(db => db.Orders.Where(o => o.PlacedAt >= Day)),
        Rows(db => db.Orders.Where(o => o.PlacedAt.Date == Day)),
        Rows(db => db.Orders.Where(o => o.PlacedAt.Year == 2025 && o.PlacedAt.Month == 2)),
        Rows(db => db.Orders.Select(o =>
            new { o.PlacedAt.Day, o.PlacedAt.Hour, o.PlacedAt.Minute, o.PlacedAt.Second, o.PlacedAt.DayOfYear })),
        Rows(db => db.Orders.Select(o => o.PlacedAt.DayOfWeek)),
        Rows(db => db.Orders.Select(o => o.PlacedAt.AddDays(1).AddMonths(2).AddYears(-1).AddHours(3))),
        Rows(db => db.Orders.Where(o => o.ShippedAt != null).Select(o => o.ShippedAt!.Value - o.PlacedAt)),
        Rows(db => db.Orders.Where(o => (o.ShippedAt - o.PlacedAt)!.Value.TotalDays > 1)),
        Rows(db => db.Orders.Where(o => o.PlacedAt < DateTime.UtcNow).Select(o => o.Id)),
        Rows(db => db.Orders.OrderBy(o => o.PlacedAt.TimeOfDay).ThenBy(o => o.Id).Select(o => o.Id)),
        Rows(db => db.Employees.Where(e => e.BornOn > new DateOnly(1964, 1, 1))),
        Rows(db => db.Employees.Select(e => new { e.BornOn.Year, Next = e.BornOn.AddDays(40), Day = e.BornOn.DayOfWeek })),
        Rows(db => db.Employees.Where(e => e.StartsAt < new TimeOnly(8, 0)).Select(e => e.StartsAt.AddHours(2))),
        Rows(db => db.Employees.Select(e => e.HiredAt.Millisecond)),
        Rows(db => db.Employees.Select(e => e.BornOn.ToDateTime(e.StartsAt))),
        Rows(db => db.Customers.Select(c => (int)c.Tier)) with { Fails = true },
        Value(db => db.Orders.Max(o => o.PlacedAt.Month)),
        Value(db => db.Lines.Max(l => l.Quantity)),
        Value(db => db.Lines.Sum(l => (int)l.Quantity)),
    ];
}
