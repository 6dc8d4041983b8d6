namespace Store.Pages;

public sealed record ProductRow(int Id, string Name, string Category, decimal Price, bool IsWished);
