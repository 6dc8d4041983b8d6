namespace Tidemark.EfSuite;

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
