namespace Store.Data;

/// <summary>Someone who can sign in.</summary>
public sealed class User
{
    public int Id { get; init; }

    public required string Name { get; init; }

    public ICollection<Wish> Wishes { get; } = [];

    public ICollection<Message> Inbox { get; } = [];
}
