using NpgsqlTypes;

namespace Tidemark;

/// <summary>What one node said of itself in one statement, or why it said nothing.</summary>
internal sealed record ProbeAnswer
{
    /// <summary>Why there is no answer, without secrets; <see langword="null"/> when the node answered.</summary>
    public string? Failure { get; init; }

    /// <summary>The server's run, as it names it itself: what was known of positions in another is void.</summary>
    public ServerEpoch Epoch { get; init; }

    /// <summary>
    /// The number of the monitor's own physical connection that brought the answer; zero: unknown. No crash lies between two answers of one
    /// connection.
    /// </summary>
    public long Connection { get; init; }

    public bool IsInRecovery { get; init; }

    public ulong SystemIdentifier { get; init; }

    /// <summary>The timeline written to or followed. Zero: a standby that receives nothing now, or does not show it to this role.</summary>
    public uint Timeline { get; init; }

    /// <summary>
    /// The timeline of the control file's minimum recovery point, which any role may read: a standby has replayed WAL of this timeline, and
    /// perhaps of a later one.
    /// Zero: unknown.
    /// </summary>
    public uint LeastTimeline { get; init; }

    /// <summary>The role may not call the functions that tell positions: both are zero.</summary>
    public bool HidesPositions { get; init; }

    /// <summary>The role has <c>pg_read_all_stats</c>, without which a standby does not show the timeline it follows.</summary>
    public bool SeesTimeline { get; init; }

    /// <summary>On a primary the flush position, on a standby the replay position.</summary>
    public NpgsqlLogSequenceNumber Lsn { get; init; }

    /// <summary>
    /// On a primary the insert position, moved before a page header that it stands behind: a bound of all that is visible there.
    /// </summary>
    public NpgsqlLogSequenceNumber InsertLsn { get; init; }

    /// <summary>The layout of the server's WAL.</summary>
    public WalPages Pages { get; init; } = WalPages.Usual;

    /// <summary>
    /// The backend is not the one that was connected to: a pooler stands in between, and a connection tells nothing of the server's life.
    /// </summary>
    public bool IsPooled { get; init; }

    /// <summary>
    /// Where the primary's timeline left its ancestors, from its own history file; <see langword="null"/> when it could not be read.
    /// </summary>
    public IReadOnlyList<Fork>? Forks { get; init; }

    public int ServerVersion { get; init; }

    public bool IsAurora { get; init; }

    /// <summary>
    /// The server itself refused the probe, for want of a connection slot for example: it is there, and may well serve others.
    /// </summary>
    public bool IsRefusal { get; init; }

    public static ProbeAnswer Failed(string why) => new() { Failure = why };
}
