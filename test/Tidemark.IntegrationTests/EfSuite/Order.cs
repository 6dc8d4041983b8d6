namespace Tidemark.EfSuite;

/// <summary>The model filters out deleted orders.</summary>
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
