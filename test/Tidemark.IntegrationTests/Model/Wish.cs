namespace Tidemark;

public sealed class Wish
{
    public int Id { get; init; }

    public required string What { get; init; }
}
