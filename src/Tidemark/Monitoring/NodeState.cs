using System.Collections.Immutable;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>The state of one node at one moment. Immutable. A snapshot holds one for each node.</summary>
internal sealed record NodeState
{
    public required string Name { get; init; }

    public required int Index { get; init; }

    /// <summary>The role that the node reported, or that it did not respond.</summary>
    public ReportedRole ReportedRole { get; init; }

    /// <summary>The status concluded from the reported role by comparing all nodes.</summary>
    public ConcludedStatus Status { get; init; }

    /// <summary>Why the node did not respond to its last probe, or <see langword="null"/> if it did.</summary>
    public string? Failure { get; init; }

    /// <summary>The number of the last probe that succeeded. A connection first used before this probe was sent shares its epoch.</summary>
    public long ProbeNumber { get; init; }

    /// <summary>The epoch of the server in which this state was sampled.</summary>
    public ServerEpoch Epoch { get; init; }

    /// <summary>The monitor's physical connection that the response came from, or 0 if unknown.</summary>
    public long Connection { get; init; }

    /// <summary>The timeline that the node writes or follows, or 0 if unknown.</summary>
    public uint Timeline { get; init; }

    public bool SeesTimeline { get; init; }

    /// <summary>
    /// A timeline of which the server has replayed WAL, or 0 if unknown. It may have replayed WAL of a later one. A role without
    /// pg_read_all_stats gets no other information about the timeline.
    /// </summary>
    public uint LeastTimeline { get; init; }

    /// <summary><see langword="true"/> if the role may not query positions. Both positions are then 0 and have no meaning.</summary>
    public bool HidesPositions { get; init; }

    /// <summary>The flush position of a primary, or the replay position of a replica. It is a lower bound of what the node has.</summary>
    public NpgsqlLogSequenceNumber Lsn { get; init; }

    /// <summary>The insert position of a primary, before any page header. It is an upper bound of everything visible there.</summary>
    public NpgsqlLogSequenceNumber InsertLsn { get; init; }

    /// <summary>The layout of the server's WAL.</summary>
    public WalPages Pages { get; init; } = WalPages.Usual;

    /// <summary>
    /// Monotonic time of the latest sample of the primary that this replica has reached, or <see langword="null"/> if unknown. The replica
    /// has everything that was committed before that time.
    /// </summary>
    public long? CompleteAsOf { get; init; }

    /// <summary>
    /// Replay rate in bytes per second, measured while the replica was busy, or <see langword="null"/> if it was never observed to be busy.
    /// </summary>
    public double? ReplayRate { get; init; }

    /// <summary>
    /// <see langword="true"/> if the replica had almost no lag when it was last probed, so that it is worth checking whether it has caught
    /// up.
    /// </summary>
    public bool KeepsUp { get; init; }

    /// <summary>
    /// <see langword="true"/> if there is a pooler in front of the server. Probe results then prove nothing about other connections, and
    /// every read that requires a position queries it.
    /// </summary>
    public bool IsPooled { get; init; }

    /// <summary>The epoch of the primary when this was sampled, as a count of the crashes that this process has detected.</summary>
    public int PrimaryEpoch { get; init; }

    /// <summary>
    /// The forks between the primary's timeline and its ancestors, from its own history file, or <see langword="null"/> if not available.
    /// </summary>
    public IReadOnlyList<Fork>? Forks { get; init; }

    public ulong SystemIdentifier { get; init; }

    public int ServerVersion { get; init; }

    /// <summary>Monotonic time just before the query for this position was sent.</summary>
    public long SampledAt { get; init; }

    /// <summary>Monotonic time at which the response arrived. Queries sent later sample a later state.</summary>
    public long ReceivedAt { get; init; }

    /// <summary>The replay position from the last probe that succeeded, regardless of what traffic has shown since.</summary>
    public ReplayedBy Probed { get; init; }

    /// <summary>The replay position from the probe before it, if it was in the same epoch and on the same timeline.</summary>
    public ReplayedBy Earlier { get; init; }

    /// <summary>Other epochs in which servers with this name have responded.</summary>
    public ImmutableArray<OtherEpoch> Others { get; init; } = [];

    /// <summary><see langword="true"/> if two epochs were active at once: several servers respond to this name.</summary>
    public bool HasSeveralServers { get; init; }

    /// <summary>The system identifier of a second cluster, if one of its servers responds to this name; otherwise 0.</summary>
    public ulong OtherIdentifier { get; init; }

    /// <summary>
    /// <see langword="true"/> if the node was observed to have replayed more than the primary had inserted on the same timeline.
    /// </summary>
    public bool IsDiverged { get; init; }

    /// <summary>
    /// The epoch in which the divergence was observed. In another epoch the node may have been rebuilt, and it is compared again before it
    /// serves reads.
    /// </summary>
    public ServerEpoch DivergedIn { get; init; }

    /// <summary>The latest timeline of the cluster that had been observed when this was sampled.</summary>
    public uint LatestTimeline { get; init; }

    /// <summary>The timeline that the node follows. If it is hidden, the latest one that the node is proven to have reached.</summary>
    public uint ProvenTimeline => Timeline != 0 ? Timeline : Math.Max(LeastTimeline, 1);

    /// <summary>
    /// Returns the number of the last probe that found the node in the epoch, or <see cref="long.MaxValue"/> if it is not recorded.
    /// </summary>
    public long LastProbeIn(ServerEpoch epoch)
    {
        if (Epoch == epoch) return ProbeNumber;
        foreach (var other in Others)
            if (other.WasBefore && other.Epoch == epoch) return other.ProbesSent;
        return long.MaxValue;
    }

    /// <summary>Returns whether a server with this name has responded in the given other epoch.</summary>
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
