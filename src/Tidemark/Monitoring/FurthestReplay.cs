using NpgsqlTypes;

namespace Tidemark;

/// <summary>The furthest that a replica was seen to have replayed: WAL up to there existed on the timeline.</summary>
/// <param name="Timeline">The timeline; zero: no replica was seen.</param>
/// <param name="Lsn">What the replica had replayed.</param>
/// <param name="At">The monotonic time when its answer arrived.</param>
internal readonly record struct FurthestReplay(uint Timeline, NpgsqlLogSequenceNumber Lsn, long At)
{
    /// <summary>Returns the further of this and what a replica has replayed. A later timeline replaces an earlier one.</summary>
    public FurthestReplay With(NodeState replica)
    {
        var timeline = replica.ProvenTimeline;
        return timeline > Timeline || (timeline == Timeline && replica.Lsn > Lsn)
            ? new FurthestReplay(timeline, replica.Lsn, replica.ReceivedAt) : this;
    }

    /// <summary>
    /// Returns whether a primary that was asked after the replica answered lacks what the replica had replayed. A standby never passes its
    /// primary, so the
    /// storage of this one was rolled back.
    /// </summary>
    public bool IsMissingFrom(NodeState primary) =>
        Timeline == primary.Timeline && At <= primary.SampledAt && primary is { HidesPositions: false } && primary.InsertLsn != default
        && primary.Pages.BeforeHeader(Lsn) > primary.InsertLsn;
}
