namespace Tidemark;

internal sealed class ProfileWish
{
    public int Id { get; init; }

    public int ProfileId { get; init; }

    public required string Kind { get; set; }

    public Profile? Profile { get; init; }
}
