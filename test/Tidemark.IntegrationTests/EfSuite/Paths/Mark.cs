namespace Tidemark.EfSuite;

/// <summary>The key comes from a sequence, in blocks, before the entity is saved.</summary>
internal sealed class Mark
{
    public int Id { get; set; }

    public required string Text { get; set; }
}
