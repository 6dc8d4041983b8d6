namespace Tidemark;

/// <summary>
/// The outcome of a write as its reader knows it at the end. The default value means that the reader failed before, so that the outcome is
/// unknown.
/// </summary>
/// <param name="IsAcknowledged">Whether the server acknowledged the write.</param>
/// <param name="Position">The result of the position query, or <see langword="null"/> if it failed.</param>
internal readonly record struct WriteAnswerAtEnd(bool IsAcknowledged, PiggybackedPosition? Position)
{
    public static WriteAnswerAtEnd WithoutPosition => new(IsAcknowledged: true, Position: null);

    public static WriteAnswerAtEnd Of(PiggybackedPosition position) => new(IsAcknowledged: true, position);
}
