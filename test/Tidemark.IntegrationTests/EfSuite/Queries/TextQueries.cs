using Microsoft.EntityFrameworkCore;
using static Tidemark.EfSuite.Query;

namespace Tidemark.EfSuite;

/// <summary>Functions on strings.</summary>
internal static class TextQueries
{
    private static readonly string Part = "ha";
    private static readonly string Odd = "50%_O'Neil\\";

    public static readonly Query[] All =
    [
        Rows(db => db.Products.Where(p => p.Name.StartsWith("Ch"))),
        Rows(db => db.Products.Where(p => p.Name.EndsWith("II"))),
        Rows(db => db.Products.Where(p => p.Name.Contains(Part))),
        Rows(db => db.Customers.Where(c => c.CompanyName.Contains(Odd))),
        Rows(db => db.Customers.Where(c => c.CompanyName.Contains("50%_"))),
        Rows(db => db.Products.Where(p => p.Name == "Ünïcode ☕")),
        Rows(db => db.Products.Select(p => p.Name.ToUpper())),
        Rows(db => db.Products.Select(p => p.Name.ToLower())),
        Rows(db => db.Products.Select(p => p.Name.Length)),
        Rows(db => db.Products.Select(p => p.Name.Substring(1, 2))),
        Rows(db => db.Products.Select(p => p.Name.Replace("a", "_"))),
        Rows(db => db.Products.Select(p => p.Name.IndexOf("a"))),
        Rows(db => db.Customers.Select(c => c.ContactName!.Trim())),
        Rows(db => db.Customers.Select(c => c.ContactName!.TrimStart() + "|" + c.ContactName.TrimEnd())),
        Rows(db => db.Customers.Select(c => c.CompanyName + " in " + c.Address.City)),
        Rows(db => db.Customers.Select(c => string.Concat(c.Id, "/", c.ContactName))),
        Rows(db => db.Customers.Select(c => $"{c.Id} {c.Tier}")),
        Rows(db => db.Customers.Where(c => string.IsNullOrEmpty(c.ContactName))),
        Rows(db => db.Customers.Where(c => string.IsNullOrWhiteSpace(c.ContactName))),
        Rows(db => db.Customers.Where(c => EF.Functions.Like(c.CompanyName, "%a_%"))),
        Rows(db => db.Customers.Where(c => EF.Functions.ILike(c.CompanyName, "cHA%"))),
        Rows(db => db.Customers.Where(c => System.Text.RegularExpressions.Regex.IsMatch(c.CompanyName, "^C.*o$"))),
        Rows(db => db.Products.Select(p => p.Name.PadLeft(8, '.') + p.Name.PadRight(8, '.'))),
        Rows(db => db.Customers.Select(c => c.Id[0])),
        Rows(db => db.Customers.Select(c => c.Id.FirstOrDefault())),
        Rows(db => db.Customers.Where(c => c.Id.ToLower() == "custa")),
        Rows(db => db.Orders.Select(o => o.Id.ToString())),
        Rows(db => db.Orders.Where(o => o.Id.ToString().Contains("1"))),
        Rows(db => db.Products.OrderBy(p => p.Name.Length).ThenBy(p => p.Id).Select(p => p.Name)),
        Rows(db => db.Products.Select(p => string.Compare(p.Name, "Gumbo"))),
        Rows(db => db.Products.Where(p => EF.Functions.Collate(p.Name, "C") == "Chai")),
        Value(db => db.Products.Count(p => p.Name.Contains(";") || p.Name == "a;b")),
    ];
}
