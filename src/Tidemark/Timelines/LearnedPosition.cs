namespace Tidemark;

/// <summary>A place, and the primary's life in which this process learned it.</summary>
/// <param name="Position">The place.</param>
/// <param name="PrimaryEpoch">The life, as this process counts crashes.</param>
/// <param name="ReceivedIn">Of a place from another process: the life that was current when it came.</param>
internal readonly record struct LearnedPosition(WalPosition Position, int PrimaryEpoch, int ReceivedIn = 0)
{
    /// <summary>The place came from another process.</summary>
    public const int Unknown = -1;
}
