namespace Tidemark.EfSuite;

/// <summary>Gets its key from a sequence, in blocks, before it is saved.</summary>
internal sealed class Mark
{
    public int Id { get; set; }

    public required string Text { get; set; }
}
