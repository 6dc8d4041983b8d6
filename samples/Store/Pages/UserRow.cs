namespace Store.Pages;

public sealed record UserRow(int Id, string Name);
