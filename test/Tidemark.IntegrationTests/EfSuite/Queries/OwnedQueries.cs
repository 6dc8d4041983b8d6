using Microsoft.EntityFrameworkCore;
using static Tidemark.EfSuite.Query;

namespace Tidemark.EfSuite;

/// <summary>Owned and complex types, JSON, arrays.</summary>
internal static class OwnedQueries
{
    public static readonly Query[] All =
    [
        Rows(db => db.Customers.Where(c => c.Address.Location != null)),
        Rows(db => db.Customers.Where(c => c.Address.Location!.Latitude > 41)),
        Rows(db => db.Customers.Where(c => c.Address.PostalCode == null)),
        Rows(db => db.Customers.AsNoTracking().Select(c => c.Address)),
        Rows(db => db.Customers.AsNoTracking().Select(c => c.Address.Location)),
        Rows(db => db.Customers.Select(c => new { c.Id, c.Address.City, Latitude = (double?)c.Address.Location!.Latitude })),
        Rows(db => db.Customers.Select(c => new { c, c.Address })),
        Rows(db => db.Customers.OrderBy(c => c.Address.Country).ThenBy(c => c.Id).Select(c => c.Address.Country)),
        Rows(db => db.Employees.Where(e => e.Contact.Phone != null)),
        Rows(db => db.Employees.Select(e => e.Contact)),
        Rows(db => db.Employees.Select(e => new { e.Id, e.Contact })),
        Rows(db => db.Employees.Select(e => e.Contact.Email)),
        Rows(db => db.Customers.Where(c => c.Preferences == null)),
        Rows(db => db.Customers.Where(c => c.Preferences!.Language == "de")),
        Rows(db => db.Customers.Where(c => c.Preferences!.Newsletter)),
        Rows(db => db.Customers.Where(c => c.Preferences!.Topics.Contains("Chai"))),
        Rows(db => db.Customers.Where(c => c.Preferences!.Topics.Count > 1)),
        Rows(db => db.Customers.Where(c => c.Preferences!.Favourites.Count == 2)),
        Rows(db => db.Customers.Where(c => c.Preferences!.Favourites[0].Rating > 2)),
        Rows(db => db.Customers.AsNoTracking().Select(c => c.Preferences)),
        Rows(db => db.Customers.Select(c => c.Preferences!.Language)),
        Rows(db => db.Customers.Select(c => new { c.Id, c.Preferences!.Topics })),
        Rows(db => db.Customers.AsNoTracking().Select(c => new { c.Id, c.Preferences!.Favourites })),
        Rows(db => db.Customers.SelectMany(c => c.Preferences!.Favourites, (c, f) => new { c.Id, f.Product, f.Rating })),
        Rows(db => db.Customers.Select(c => new { c.Id, Best = c.Preferences!.Favourites.Max(f => (int?)f.Rating) })),
        Rows(db => db.Customers.Select(c => new { c.Id, N = c.Preferences!.Topics.Count(t => t.StartsWith("C")) })),
        Rows(db => db.Customers.OrderBy(c => c.Preferences!.Language).ThenBy(c => c.Id).Select(c => c.Id)),
        Rows(db => db.Products.Select(p => new { p.Id, p.Codes })),
        Rows(db => db.Products.Select(p => new { p.Id, N = p.Codes.Length, First = p.Codes.FirstOrDefault() })),
        Rows(db => db.Products.Where(p => p.Codes.Contains("C2") && p.Codes.Length > 1)),
        Rows(db => db.Products.Select(p => string.Join("-", p.Codes))),
        Value(db => db.Customers.Count(c => c.Preferences!.Favourites.Any(f => f.Product == "Chai"))),
        Rows(db => db.Customers.AsNoTracking().Select(c => new { c.Address, c.Id })),
    ];
}
