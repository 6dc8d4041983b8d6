namespace Tidemark;

/// <summary>A WAL position and the epoch of the primary in which this process received it.</summary>
/// <param name="Position">The WAL position.</param>
/// <param name="PrimaryEpoch">The epoch of the primary, as a count of the crashes that this process has detected.</param>
/// <param name="ReceivedIn">
/// For a position from another process, the epoch of the primary that was current when the position was received.
/// </param>
internal readonly record struct KnownPosition(WalPosition Position, int PrimaryEpoch, int ReceivedIn = 0)
{
    /// <summary>Epoch of a position that was received from another process.</summary>
    public const int Unknown = -1;
}
