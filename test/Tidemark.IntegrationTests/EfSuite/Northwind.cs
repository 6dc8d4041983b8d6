namespace Tidemark.EfSuite;

// A trading house whose model has one of everything that EF Core can map on PostgreSQL. See NorthwindContext for how.

/// <summary>A native enum type of PostgreSQL.</summary>
internal enum Tier
{
    Bronze,
    Silver,
    Gold,
}

/// <summary>Kept as text.</summary>
internal enum OrderStatus
{
    Placed,
    Shipped,
    Returned,
}

internal sealed class Customer
{
    public required string Id { get; set; }

    public required string CompanyName { get; set; }

    public string? ContactName { get; set; }

    public Tier Tier { get; set; }

    public required Address Address { get; set; }

    public Preferences? Preferences { get; set; }

    public List<Order> Orders { get; } = [];
}

/// <summary>Owned, in columns of its owner's table.</summary>
internal sealed class Address
{
    public required string Street { get; set; }

    public required string City { get; set; }

    public required string Country { get; set; }

    public string? PostalCode { get; set; }

    public Location? Location { get; set; }
}

/// <summary>Owned by what is owned, and optional.</summary>
internal sealed class Location
{
    public double Latitude { get; set; }

    public double Longitude { get; set; }
}

/// <summary>Owned, in one JSON column.</summary>
internal sealed class Preferences
{
    public required string Language { get; set; }

    public bool Newsletter { get; set; }

    public List<string> Topics { get; set; } = [];

    public List<Favourite> Favourites { get; set; } = [];
}

internal sealed class Favourite
{
    public required string Product { get; set; }

    public int Rating { get; set; }
}

internal sealed class Employee
{
    public int Id { get; set; }

    public required string FirstName { get; set; }

    public required string LastName { get; set; }

    /// <summary>Not mapped: EF Core makes the whole employee to call it.</summary>
    public string FullName => $"{FirstName} {LastName}";

    public string? Title { get; set; }

    public DateOnly BornOn { get; set; }

    public DateTime HiredAt { get; set; }

    public TimeOnly StartsAt { get; set; }

    public int? ManagerId { get; set; }

    public Employee? Manager { get; set; }

    public required Contact Contact { get; set; }

    public List<Employee> Reports { get; } = [];

    public List<Order> Orders { get; } = [];
}

/// <summary>A complex type: part of its employee, without identity.</summary>
internal sealed class Contact
{
    public required string Email { get; set; }

    public string? Phone { get; set; }
}

internal sealed class Category
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public string? Description { get; set; }

    /// <summary>Included in every query by the model.</summary>
    public Picture? Picture { get; set; }

    public List<Product> Products { get; } = [];
}

internal sealed class Picture
{
    public int Id { get; set; }

    public int CategoryId { get; set; }

    public required byte[] Bytes { get; set; }
}

internal sealed class Product
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public int? CategoryId { get; set; }

    public Category? Category { get; set; }

    public decimal? UnitPrice { get; set; }

    public int Stock { get; set; }

    public bool IsDiscontinued { get; set; }

    /// <summary>An array column.</summary>
    public string[] Codes { get; set; } = [];

    public List<Tag> Tags { get; } = [];

    public List<OrderLine> Lines { get; } = [];
}

internal sealed class Tag
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public List<Product> Products { get; } = [];
}

/// <summary>Deleted orders are filtered out by the model.</summary>
internal sealed class Order
{
    public int Id { get; set; }

    public required string CustomerId { get; set; }

    public Customer Customer { get; set; } = null!;

    public int? EmployeeId { get; set; }

    public Employee? Employee { get; set; }

    public DateTime PlacedAt { get; set; }

    public DateTime? ShippedAt { get; set; }

    public decimal Freight { get; set; }

    public OrderStatus Status { get; set; }

    public bool IsDeleted { get; set; }

    public List<OrderLine> Lines { get; } = [];

    public List<Payment> Payments { get; } = [];
}

internal sealed class OrderLine
{
    public int OrderId { get; set; }

    public int ProductId { get; set; }

    public Order Order { get; set; } = null!;

    public Product Product { get; set; } = null!;

    public decimal UnitPrice { get; set; }

    public short Quantity { get; set; }

    public double Discount { get; set; }
}

/// <summary>One table for the whole hierarchy.</summary>
internal abstract class Payment
{
    public int Id { get; set; }

    public int OrderId { get; set; }

    public Order Order { get; set; } = null!;

    public decimal Amount { get; set; }
}

internal sealed class CardPayment : Payment
{
    public required string LastDigits { get; set; }
}

internal sealed class TransferPayment : Payment
{
    public required string Iban { get; set; }

    public string? Reference { get; set; }
}

/// <summary>A row of a view; it has no key.</summary>
internal sealed class CustomerTotal
{
    public required string CustomerId { get; set; }

    public long Orders { get; set; }

    public decimal Freight { get; set; }
}
