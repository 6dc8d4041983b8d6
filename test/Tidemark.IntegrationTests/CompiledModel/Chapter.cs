namespace Tidemark.CompiledModel;

/// <summary>An entity without a read rule.</summary>
internal sealed class Chapter
{
    public int Id { get; set; }
}
