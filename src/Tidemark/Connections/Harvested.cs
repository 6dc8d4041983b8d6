namespace Tidemark;

/// <summary>What the reader of a write knows at its end. The default: the reader failed before, so nothing.</summary>
/// <param name="IsAcknowledged">The server acknowledged the write.</param>
/// <param name="Position">The answer to the position query; <see langword="null"/>: it failed.</param>
internal readonly record struct Harvested(bool IsAcknowledged, PiggybackedPosition? Position)
{
    public static Harvested WithoutPosition => new(IsAcknowledged: true, Position: null);

    public static Harvested Of(PiggybackedPosition position) => new(IsAcknowledged: true, position);
}
