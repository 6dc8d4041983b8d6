namespace Store.Pages;

public sealed record MessageRow(int Id, int FromId, string From, string Text, DateTimeOffset SentAt, bool IsRead);
