namespace Tidemark;

internal sealed class Note
{
    public int Id { get; init; }

    public int ProfileId { get; init; }

    public Profile Profile { get; init; } = null!;
}
