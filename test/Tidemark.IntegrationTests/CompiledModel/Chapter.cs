namespace Tidemark.CompiledModel;

/// <summary>No rule.</summary>
internal sealed class Chapter
{
    public int Id { get; set; }
}
