using NpgsqlTypes;

namespace Tidemark;

/// <summary>The facts that a node reported in one statement, or why it did not respond.</summary>
internal sealed record ProbeAnswer
{
    /// <summary>Why the node did not respond, without secrets, or <see langword="null"/> if it did.</summary>
    public string? Failure { get; init; }

    /// <summary>The epoch that the server reports. Facts about positions from another epoch are void.</summary>
    public ServerEpoch Epoch { get; init; }

    /// <summary>
    /// The number of the monitor's own physical connection that the response came from, or 0 if unknown. The server did not crash between
    /// two responses on one connection.
    /// </summary>
    public long Connection { get; init; }

    public bool IsInRecovery { get; init; }

    public ulong SystemIdentifier { get; init; }

    /// <summary>
    /// The timeline that the node writes or follows. It is 0 for a standby that receives no WAL now, or does not show the timeline to this
    /// role.
    /// </summary>
    public uint Timeline { get; init; }

    /// <summary>
    /// The timeline of the minimum recovery point in the control file, or 0 if unknown. Any role can read it. A standby has replayed WAL of
    /// this timeline, and may have replayed WAL of a later one.
    /// </summary>
    public uint LeastTimeline { get; init; }

    /// <summary><see langword="true"/> if the role may not call the position functions. Both positions are then 0.</summary>
    public bool HidesPositions { get; init; }

    /// <summary>
    /// <see langword="true"/> if the role has <c>pg_read_all_stats</c>. Without it, a standby does not show the timeline that it follows.
    /// </summary>
    public bool SeesTimeline { get; init; }

    /// <summary>The flush position of a primary, or the replay position of a standby.</summary>
    public NpgsqlLogSequenceNumber Lsn { get; init; }

    /// <summary>
    /// The insert position of a primary, moved before a page header if it directly follows one. It is an upper bound of everything visible
    /// there.
    /// </summary>
    public NpgsqlLogSequenceNumber InsertLsn { get; init; }

    /// <summary>The layout of the server's WAL.</summary>
    public WalPages Pages { get; init; } = WalPages.Usual;

    /// <summary>
    /// <see langword="true"/> if the backend is not the one that was connected to. There is then a pooler in between, and a connection
    /// proves nothing about the epoch of the server.
    /// </summary>
    public bool IsPooled { get; init; }

    /// <summary>
    /// The forks between the primary's timeline and its ancestors, from its own history file, or <see langword="null"/> if it could not be
    /// read.
    /// </summary>
    public IReadOnlyList<Fork>? Forks { get; init; }

    public int ServerVersion { get; init; }

    public bool IsAurora { get; init; }

    /// <summary>
    /// <see langword="true"/> if the server itself refused the probe, for example because it had no free connection slot. The server is
    /// running and may still serve other connections.
    /// </summary>
    public bool IsRefusal { get; init; }

    public static ProbeAnswer Failed(string why) => new() { Failure = why };
}
