using Microsoft.EntityFrameworkCore;

namespace Tidemark.EfSuite;

/// <summary>The rows of the trading house: few and constant, with nulls, duplicates and empty collections.</summary>
internal static class NorthwindRows
{
    public const string Sql = """
        CREATE VIEW customer_totals AS
            SELECT o."CustomerId", count(*) AS "Orders", sum(o."Freight") AS "Freight" FROM "Orders" o GROUP BY o."CustomerId";
        CREATE FUNCTION doubled(value int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT value * 2';
        CREATE FUNCTION orders_of(customer text) RETURNS SETOF "Orders" LANGUAGE sql STABLE
            AS 'SELECT * FROM "Orders" WHERE "CustomerId" = customer';
        ANALYZE;
        """;

    private static readonly string[] Cities = ["London", "Berlin", "Paris", "Madrid", "London", "Bern"];
    private static readonly string[] Countries = ["UK", "Germany", "France", "Spain", "UK", "Switzerland"];
    private static readonly string[] Names = ["Nancy", "Andrew", "Janet", "Margaret", "Steven", "Michael", "Robert", "Laura", "Anne"];
    private static readonly string[] Goods =
        ["Chai", "Chang", "Syrup", "Cajun", "Gumbo", "Spread", "Pears", "Sauce", "Niku", "Ikura", "Queso", "Konbu"];
    private static readonly DateTime FirstDay = new(2025, 1, 1, 8, 30, 15, DateTimeKind.Utc);

    public static async Task AddAsync(NorthwindContext context, CancellationToken cancellationToken)
    {
        context.AddRange(Enumerable.Range(0, 12).Select(MakeCustomer));
        context.AddRange(Enumerable.Range(1, 9).Select(MakeEmployee));
        context.AddRange(Enumerable.Range(1, 5).Select(MakeCategory));
        var tags = Enumerable.Range(1, 6).Select(i => new Tag { Id = i, Name = $"tag {i}" }).ToArray();
        context.AddRange(tags.AsEnumerable());
        context.AddRange(Enumerable.Range(1, 20).Select(i => MakeProduct(i, tags)));
        context.AddRange(Enumerable.Range(1, 48).Select(MakeOrder));
        await context.SaveChangesAsync(cancellationToken);
        await context.Database.ExecuteSqlRawAsync(Sql, cancellationToken);
    }

    private static Customer MakeCustomer(int i) => new()
    {
        Id = $"CUST{(char)('A' + i)}",
        CompanyName = i == 7 ? "Alfreds \"Futter\" 50%_O'Neil\\" : $"{Goods[i]} & Co",
        ContactName = i % 4 == 3 ? null : $" {Names[i % 9]} {Goods[(i + 3) % 12]} ",
        Tier = (Tier)(i % 3),
        Address = new Address
        {
            Street = $"{i + 1} Main Street",
            City = Cities[i % 6],
            Country = Countries[i % 6],
            PostalCode = i % 3 == 0 ? null : $"{10_000 + (i * 111)}",
            Location = i % 2 == 0 ? new Location { Latitude = 40 + (i / 4.0), Longitude = -i } : null,
        },
        Preferences = i == 11 ? null : new Preferences
        {
            Language = i % 2 == 0 ? "en" : "de",
            Newsletter = i % 3 == 0,
            Topics = [.. Goods.Take(i % 4)],
            Favourites = [.. Enumerable.Range(0, i % 3).Select(n => new Favourite { Product = Goods[(i + n) % 12], Rating = (i + n) % 6 })],
        },
    };

    private static Employee MakeEmployee(int i) => new()
    {
        Id = i,
        FirstName = Names[i - 1],
        LastName = Goods[i] + "son",
        Title = i % 3 == 0 ? null : i == 2 ? "Director" : "Sales",
        BornOn = new DateOnly(1960 + i, i, i * 3),
        HiredAt = FirstDay.AddDays(-400 * i).AddMilliseconds(i),
        StartsAt = new TimeOnly(6 + (i % 4), i * 5),
        ManagerId = i == 2 ? null : i < 6 ? 2 : 5,
        Contact = new Contact { Email = $"{Names[i - 1]}@Northwind.example", Phone = i % 2 == 0 ? null : $"555-{i}" },
    };

    private static Category MakeCategory(int i) => new()
    {
        Id = i,
        Name = $"Category {i}",
        Description = i == 4 ? null : $"All of {i}",
        Picture = i == 5 ? null : new Picture { Id = i, Bytes = [(byte)i, 0, 255] },
    };

    private static Product MakeProduct(int i, Tag[] tags)
    {
        var product = new Product
        {
            Id = i,
            Name = i % 12 == 0 ? "Ünïcode ☕" : Goods[i % 12] + (i > 12 ? " II" : ""),
            CategoryId = i % 7 == 0 ? null : (i % 4) + 1,
            UnitPrice = i % 9 == 0 ? null : (i * 3.75m) - 2.5m,
            Stock = i * 7 % 11,
            IsDiscontinued = i % 5 == 0,
            Codes = [.. Enumerable.Range(0, i % 4).Select(n => $"C{i + n}")],
        };
        product.Tags.AddRange(tags.Where(t => i % (t.Id + 1) == 0));
        return product;
    }

    private static Order MakeOrder(int i)
    {
        var order = new Order
        {
            Id = i,
            CustomerId = $"CUST{(char)('A' + (i * i % 11))}",
            EmployeeId = i % 6 == 0 ? null : (i % 9) + 1,
            PlacedAt = FirstDay.AddHours(i * 37),
            ShippedAt = i % 5 == 0 ? null : FirstDay.AddHours(i * 37).AddDays(i % 4),
            Freight = i * 2.25m,
            Status = (OrderStatus)(i % 3),
            IsDeleted = i % 16 == 0,
        };
        for (var n = 0; n < i % 4; n++)
        {
            order.Lines.Add(new OrderLine
            {
                ProductId = (((i * 3) + (n * 5)) % 20) + 1, UnitPrice = 4.5m + n + i, Quantity = (short)((i + n) % 7), Discount = n * 0.125,
            });
        }

        if (i % 3 != 0) order.Payments.Add(new CardPayment { Id = i, Amount = i * 1.5m, LastDigits = $"{1000 + i}" });
        if (i % 4 == 0)
            order.Payments.Add(
            new TransferPayment { Id = 100 + i, Amount = i, Iban = $"DE{i:D4}", Reference = i % 8 == 0 ? null : $"order {i}" });
        return order;
    }
}
