namespace Tidemark;

/// <summary>What the reader of a write knows at its end. The default: the reader failed before, so nothing.</summary>
/// <param name="IsAcknowledged">The server acknowledged the write.</param>
/// <param name="Position">The answer to the position query; <see langword="null"/>: it failed.</param>
internal readonly record struct WriteAnswerAtEnd(bool IsAcknowledged, PiggybackedPosition? Position)
{
    public static WriteAnswerAtEnd WithoutPosition => new(IsAcknowledged: true, Position: null);

    public static WriteAnswerAtEnd Of(PiggybackedPosition position) => new(IsAcknowledged: true, position);
}
