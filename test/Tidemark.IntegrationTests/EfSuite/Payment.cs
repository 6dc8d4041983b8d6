namespace Tidemark.EfSuite;

/// <summary>One table for the whole hierarchy.</summary>
internal abstract class Payment
{
    public int Id { get; set; }

    public int OrderId { get; set; }

    public Order Order { get; set; } = null!;

    public decimal Amount { get; set; }
}
