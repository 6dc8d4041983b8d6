namespace Tidemark;

internal sealed class PublicProfile
{
    public int Id { get; init; }

    public required string Name { get; init; }
}
