namespace Store.Data;

/// <summary>A message from one user to another. Unread until the recipient opens it.</summary>
public sealed class Message
{
    public const int MaxLength = 500;

    public int Id { get; init; }

    public int FromId { get; init; }

    public int ToId { get; init; }

    public required string Text { get; init; }

    public DateTimeOffset SentAt { get; init; }

    public bool IsRead { get; init; }

    public User? From { get; init; }

    public User? To { get; init; }
}
