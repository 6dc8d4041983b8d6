namespace Tidemark.EfSuite;

/// <summary>A row of a view, without a key.</summary>
internal sealed class CustomerTotal
{
    public required string CustomerId { get; set; }

    public long Orders { get; set; }

    public decimal Freight { get; set; }
}
