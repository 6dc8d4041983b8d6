using NpgsqlTypes;

namespace Tidemark;

/// <summary>What one node said of itself in one statement, or why it said nothing.</summary>
internal sealed record ProbeAnswer
{
    /// <summary>Why there is no answer, without secrets; <see langword="null"/> when the node answered.</summary>
    public string? Failure { get; init; }

    /// <summary>Grows each time the monitor had to open its connection anew: what was known of positions before is void then.</summary>
    public long Epoch { get; init; }

    public bool IsInRecovery { get; init; }

    public ulong SystemIdentifier { get; init; }

    /// <summary>The timeline written to or followed. Zero: a standby that receives nothing now, or does not show it to this role.</summary>
    public uint Timeline { get; init; }

    /// <summary>The role has <c>pg_read_all_stats</c>, without which a standby does not show the timeline it follows.</summary>
    public bool SeesTimeline { get; init; }

    /// <summary>On a primary the flush position, on a standby the replay position.</summary>
    public NpgsqlLogSequenceNumber Position { get; init; }

    /// <summary>On a primary the insert position, moved before a page header that it stands behind: a bound of all that is visible there.</summary>
    public NpgsqlLogSequenceNumber InsertPosition { get; init; }

    /// <summary>The layout of the server's WAL.</summary>
    public WalPages Pages { get; init; } = WalPages.Usual;

    /// <summary>Where the last checkpoint stood when the monitor's connection was opened.</summary>
    public NpgsqlLogSequenceNumber? Checkpoint { get; init; }

    /// <summary>The backend is not the one that was connected to: a pooler stands in between, and a connection tells nothing of the server's life.</summary>
    public bool IsPooled { get; init; }

    /// <summary>Where the primary's timeline left its ancestors, from its own history file; <see langword="null"/> when it could not be read.</summary>
    public IReadOnlyList<Fork>? Forks { get; init; }

    public DateTimeOffset StartedAt { get; init; }

    public int ServerVersion { get; init; }

    public bool IsAurora { get; init; }

    /// <summary>The server itself refused the probe, for want of a connection slot for example: it is there, and may well serve others.</summary>
    public bool IsRefusal { get; init; }

    public static ProbeAnswer Failed(string why) => new() { Failure = why };
}
