namespace Tidemark.EfSuite;

/// <summary>A row of a view, without a key.</summary>
internal sealed class NoteLength
{
    public required string Text { get; set; }

    public int Length { get; set; }
}
