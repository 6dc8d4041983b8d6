namespace Tidemark;

internal sealed class Profile
{
    public int Id { get; init; }

    public required string Name { get; set; }

    public List<ProfileWish> Wishes { get; } = [];
}
