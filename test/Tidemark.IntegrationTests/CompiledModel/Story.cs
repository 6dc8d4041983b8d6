namespace Tidemark.CompiledModel;

/// <summary>An entity whose reads have a staleness bound.</summary>
internal sealed class Story
{
    public int Id { get; set; }
}
