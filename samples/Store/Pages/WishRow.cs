namespace Store.Pages;

public sealed record WishRow(int ProductId, string Name, string Category, decimal Price, DateTimeOffset AddedAt);
