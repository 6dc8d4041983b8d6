namespace Store.Pages.Shared;

/// <summary>What the header counts for the user who is signed in.</summary>
public sealed record Counts(int Wishes, int Unread);
