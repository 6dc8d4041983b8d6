namespace Tidemark;

internal sealed class RuledItem
{
    public required string Name { get; init; }
}
