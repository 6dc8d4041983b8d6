namespace Tidemark.EfSuite;

/// <summary>Owned, in columns of its owner's table.</summary>
internal sealed class Address
{
    public required string Street { get; set; }

    public required string City { get; set; }

    public required string Country { get; set; }

    public string? PostalCode { get; set; }

    public Location? Location { get; set; }
}
