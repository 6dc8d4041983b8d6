namespace Tidemark.EfSuite;

internal sealed class Category
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public string? Description { get; set; }

    /// <summary>The model includes this in every query.</summary>
    public Picture? Picture { get; set; }

    public List<Product> Products { get; } = [];
}
