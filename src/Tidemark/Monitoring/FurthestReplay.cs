using NpgsqlTypes;

namespace Tidemark;

/// <summary>The furthest position that a replica was observed to have replayed. WAL up to it existed on the timeline.</summary>
/// <param name="Timeline">The timeline, or 0 if no replica was observed.</param>
/// <param name="Lsn">The replay position of the replica.</param>
/// <param name="At">Monotonic time at which the response of the replica arrived.</param>
internal readonly record struct FurthestReplay(uint Timeline, NpgsqlLogSequenceNumber Lsn, long At)
{
    /// <summary>
    /// Returns the further of this position and the replay position of a replica. A later timeline replaces an earlier one.
    /// </summary>
    public FurthestReplay With(NodeState replica)
    {
        var timeline = replica.ProvenTimeline;
        return timeline > Timeline || (timeline == Timeline && replica.Lsn > Lsn)
            ? new FurthestReplay(timeline, replica.Lsn, replica.ReceivedAt) : this;
    }

    /// <summary>
    /// Returns whether a primary that was probed after the replica responded lacks WAL that the replica had replayed. A standby is never
    /// ahead of its primary, so the storage of this primary was rolled back.
    /// </summary>
    public bool IsMissingFrom(NodeState primary) =>
        Timeline == primary.Timeline && At <= primary.SampledAt && primary is { HidesPositions: false } && primary.InsertLsn != default
        && primary.Pages.BeforeHeader(Lsn) > primary.InsertLsn;
}
