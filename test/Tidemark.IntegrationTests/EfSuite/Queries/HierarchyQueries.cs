using Microsoft.EntityFrameworkCore;
using static Tidemark.EfSuite.Query;

namespace Tidemark.EfSuite;

/// <summary>A hierarchy in one table, and many-to-many.</summary>
internal static class HierarchyQueries
{
    public static readonly Query[] All =
    [
        Rows(db => db.Payments),
        Rows(db => db.Payments.OfType<CardPayment>()),
        Rows(db => db.Set<TransferPayment>()),
        Rows(db => db.Payments.Where(p => p is TransferPayment)),
        Rows(db => db.Payments.Where(p => !(p is CardPayment)).OrderBy(p => p.Id)),
        Rows(db => db.Payments.Where(p => ((CardPayment)p).LastDigits.EndsWith("1"))),
        Rows(db => db.Payments.Where(p => p is TransferPayment && ((TransferPayment)p).Reference == null)),
        Rows(db => db.Payments.Select(p => new { p.Id, Kind = p is CardPayment ? "card" : "transfer" })),
        Rows(db => db.Payments.Select(p => (p as CardPayment)!.LastDigits)),
        Rows(db => db.Payments.GroupBy(p => EF.Property<string>(p, "Kind")).Select(g => new { g.Key, Sum = g.Sum(p => p.Amount) })),
        Rows(db => db.Payments.Include(p => p.Order).OfType<TransferPayment>()),
        Rows(db => db.Orders.SelectMany(o => o.Payments.OfType<CardPayment>())),
        Rows(db => db.Payments.Cast<Payment>().Select(p => p.Amount)),
        Rows(db => db.Payments.Where(p => p.GetType() == typeof(CardPayment))),
        Rows(db => db.Products.Where(p => p.Tags.Any(t => t.Name == "tag 2"))),
        Rows(db => db.Products.Where(p => p.Tags.Count == 3)),
        Rows(db => db.Tags.Select(t => new { t.Name, N = t.Products.Count })),
        Rows(db => db.Tags.SelectMany(t => t.Products).Distinct().OrderBy(p => p.Id)),
        Rows(db => db.Tags.Include(t => t.Products.Where(p => p.Stock > 4)).AsSplitQuery()),
        Rows(db => db.Set<Dictionary<string, object>>("ProductTag")),
        Value(db => db.Payments.OfType<CardPayment>().Count()),
        Value(db => db.Payments.Max(p => p.Amount)),
    ];
}
