namespace Tidemark.EfSuite;

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
