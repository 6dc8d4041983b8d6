namespace Tidemark.CompiledModel;

/// <summary>An entity that is read from the primary.</summary>
internal sealed class Secret
{
    public int Id { get; set; }
}
