namespace Tidemark.EfSuite;

internal sealed class Tag
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public List<Product> Products { get; } = [];
}
