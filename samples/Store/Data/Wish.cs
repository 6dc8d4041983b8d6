namespace Store.Data;

/// <summary>A product on the wishlist of a user; at most one for each pair.</summary>
public sealed class Wish
{
    public int UserId { get; init; }

    public int ProductId { get; init; }

    public DateTimeOffset AddedAt { get; init; }

    public User? User { get; init; }

    public Product? Product { get; init; }
}
