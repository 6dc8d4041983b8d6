namespace Tidemark.CompiledModel;

/// <summary>Read from the primary.</summary>
internal sealed class Secret
{
    public int Id { get; set; }
}
