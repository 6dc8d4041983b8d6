namespace Store.Data;

/// <summary>A user of the store.</summary>
public sealed class User
{
    public int Id { get; init; }

    public required string Name { get; init; }

    public ICollection<Wish> Wishes { get; } = [];

    public ICollection<Message> Inbox { get; } = [];
}
