namespace Tidemark.Verification;

/// <summary>An event while a history was recorded.</summary>
/// <param name="At">Time of the event, by the clock of the history.</param>
/// <param name="Text">Description of the event.</param>
public sealed record HistoryPageEvent(TimeSpan At, string Text);
