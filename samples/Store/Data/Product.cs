namespace Store.Data;

/// <summary>A product of the store.</summary>
public sealed class Product
{
    /// <summary>All categories, in the order of the menu. The sample data uses the same ones.</summary>
    public static IReadOnlyList<string> Categories { get; } =
        ["Kitchen", "Lighting", "Desk", "Garden", "Travel", "Audio", "Textiles", "Outdoor"];

    public int Id { get; init; }

    public required string Name { get; init; }

    public required string Category { get; init; }

    public decimal Price { get; init; }

    public ICollection<Wish> Wishes { get; } = [];
}
