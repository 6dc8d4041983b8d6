using System.Collections.Immutable;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>What is known of one node at one moment. Immutable; a snapshot holds one for each node.</summary>
internal sealed record NodeState
{
    public required string Name { get; init; }

    public required int Index { get; init; }

    /// <summary>What the node said of itself, or that it said nothing.</summary>
    public ReportedRole ReportedRole { get; init; }

    /// <summary>What follows from its claim once all nodes were compared.</summary>
    public ConcludedStatus Status { get; init; }

    /// <summary>Why the node did not answer its last probe; <see langword="null"/> when it did.</summary>
    public string? Failure { get; init; }

    /// <summary>The number of the last probe that was answered. A connection first seen before it was sent shares its epoch.</summary>
    public long ProbeNumber { get; init; }

    /// <summary>The server's run in which this was sampled.</summary>
    public ServerEpoch Epoch { get; init; }

    /// <summary>The monitor's physical connection that brought it; zero: unknown.</summary>
    public long Connection { get; init; }

    /// <summary>The timeline written to or followed; zero while unknown.</summary>
    public uint Timeline { get; init; }

    public bool SeesTimeline { get; init; }

    /// <summary>
    /// The server has replayed WAL of this timeline, and perhaps of a later one; zero: unknown. All that a role without pg_read_all_stats
    /// learns.
    /// </summary>
    public uint LeastTimeline { get; init; }

    /// <summary>The role may not ask for positions: both are zero, and mean nothing.</summary>
    public bool HidesPositions { get; init; }

    /// <summary>On a primary the flush position, on a replica what it has replayed: a lower bound of what the node has.</summary>
    public NpgsqlLogSequenceNumber Lsn { get; init; }

    /// <summary>On a primary the insert position, before any page header: a bound of all that is visible there.</summary>
    public NpgsqlLogSequenceNumber InsertLsn { get; init; }

    /// <summary>The layout of the server's WAL.</summary>
    public WalPages Pages { get; init; } = WalPages.Usual;

    /// <summary>
    /// Monotonic time of the latest sample of the primary that this replica has reached: it misses nothing committed before. Null: unknown.
    /// </summary>
    public long? CompleteAsOf { get; init; }

    /// <summary>
    /// Bytes a second that the replica replays when it has work all the time; <see langword="null"/>: it never had, as far as was seen.
    /// </summary>
    public double? ReplayRate { get; init; }

    /// <summary>The replica was hardly behind when it was last probed: it is worth a check whether it has caught up since.</summary>
    public bool KeepsUp { get; init; }

    /// <summary>
    /// A pooler stands before the server: what a probe brought is proven for no connection, and every read that needs a position asks for
    /// it.
    /// </summary>
    public bool IsPooled { get; init; }

    /// <summary>Which life of the primary the cluster was in when this was sampled, as this process counts crashes.</summary>
    public int PrimaryEpoch { get; init; }

    /// <summary>How a primary's timeline came from its ancestors, by its own history file; <see langword="null"/>: not told.</summary>
    public IReadOnlyList<Fork>? Forks { get; init; }

    public ulong SystemIdentifier { get; init; }

    public int ServerVersion { get; init; }

    /// <summary>The monotonic time just before the question was sent that gave this position.</summary>
    public long SampledAt { get; init; }

    /// <summary>The monotonic time when its answer had arrived: what is asked later is sampled later.</summary>
    public long ReceivedAt { get; init; }

    /// <summary>What the last probe that was answered brought, whatever traffic has shown since.</summary>
    public ReplayedBy Probed { get; init; }

    /// <summary>What the probe before it brought in the same epoch and on the same timeline.</summary>
    public ReplayedBy Earlier { get; init; }

    /// <summary>Other epochs that this name has answered with.</summary>
    public ImmutableArray<OtherEpoch> Others { get; init; } = [];

    /// <summary>Two epochs were alive at once: several servers answer to this name.</summary>
    public bool HasSeveralServers { get; init; }

    /// <summary>The identity of a second cluster, one of whose servers answers to this name; zero: none was seen.</summary>
    public ulong OtherIdentifier { get; init; }

    /// <summary>Its replay was seen beyond what the primary had inserted on the same timeline.</summary>
    public bool IsDiverged { get; init; }

    /// <summary>
    /// The epoch in which that was seen. In another one it may have been rebuilt, and is compared again before it serves.
    /// </summary>
    public ServerEpoch DivergedIn { get; init; }

    /// <summary>The latest timeline of the cluster that was known when this was sampled.</summary>
    public uint LatestTimeline { get; init; }

    /// <summary>The timeline it follows or, where that is hidden, the one that it is known to have come to.</summary>
    public uint ProvenTimeline => Timeline != 0 ? Timeline : Math.Max(LeastTimeline, 1);

    /// <summary>The number of the last probe that found the node in the epoch; the greatest number when that is not remembered.</summary>
    public long LastProbeIn(ServerEpoch epoch)
    {
        if (Epoch == epoch) return ProbeNumber;
        foreach (var other in Others)
            if (other.WasBefore && other.Epoch == epoch) return other.ProbesSent;
        return long.MaxValue;
    }

    /// <summary>The name has answered with this other epoch.</summary>
    public bool HasShown(ServerEpoch epoch)
    {
        foreach (var other in Others)
            if (other.Epoch == epoch) return true;
        return false;
    }

    public NodeRole Role => ReportedRole switch
    {
        ReportedRole.Primary => NodeRole.Primary,
        ReportedRole.Replica => NodeRole.Replica,
        _ => NodeRole.Unknown,
    };
}
