namespace Tidemark.EfSuite;

internal sealed class Category
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public string? Description { get; set; }

    /// <summary>Included in every query by the model.</summary>
    public Picture? Picture { get; set; }

    public List<Product> Products { get; } = [];
}
