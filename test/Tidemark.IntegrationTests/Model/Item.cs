namespace Tidemark;

public sealed class Item
{
    public int Id { get; init; }

    public required string Name { get; set; }
}
