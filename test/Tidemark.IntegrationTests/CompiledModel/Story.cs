namespace Tidemark.CompiledModel;

/// <summary>Read from whatever misses little.</summary>
internal sealed class Story
{
    public int Id { get; set; }
}
