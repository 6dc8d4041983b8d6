namespace Store.Pages.Shared;

/// <summary>The counts in the header for the signed-in user.</summary>
public sealed record Counts(int Wishes, int Unread);
