namespace Tidemark.Verification;

/// <summary>Something that happened while a history was recorded.</summary>
/// <param name="At">When, by the clock of the history.</param>
/// <param name="Text">What, in words.</param>
public sealed record HistoryPageEvent(TimeSpan At, string Text);
