namespace Tidemark;

/// <summary>
/// The known WAL positions of a session's writes or observed reads. It holds the latest position for each epoch and timeline, because
/// positions of different epochs can be compared only through the timeline history. Not thread-safe.
/// </summary>
/// <param name="isWritten"><see langword="true"/> for the session's writes; <see langword="false"/> for its observed reads.</param>
internal sealed class Watermark(bool isWritten)
{
    private readonly List<KnownPosition> _positions = [];

    public bool IsEmpty => _positions.Count == 0;

    public IEnumerable<uint> Timelines => _positions.Select(s => s.Position.Timeline);

    /// <summary>The latest position, or <see langword="null"/> if none exists.</summary>
    public WalPosition? Latest
    {
        get
        {
            WalPosition? latest = null;
            foreach (var learned in _positions) latest = WalPosition.Later(latest, learned.Position);
            return latest;
        }
    }

    /// <summary>Returns whether the history that leads to the timeline is known to contain every position.</summary>
    public bool IsContainedIn(uint timeline, TimelineChain chain)
    {
        foreach (var learned in _positions)
            if (!chain.Leads(learned.Position, timeline)) return false;
        return true;
    }

    public void Add(KnownPosition added)
    {
        for (var i = 0; i < _positions.Count; i++)
        {
            if (_positions[i].PrimaryEpoch != added.PrimaryEpoch || _positions[i].ReceivedIn != added.ReceivedIn
                || _positions[i].Position.Timeline != added.Position.Timeline) continue;
            _positions[i] = added with { Position = WalPosition.Later(_positions[i].Position, added.Position) };
            return;
        }

        _positions.Add(added);
    }

    /// <summary>Returns whether a position from another process is beyond what the primary is known to have.</summary>
    public bool IsBeyond(NodeState primary)
    {
        foreach (var learned in _positions)
            if (IsBeyond(learned, primary)) return true;
        return false;
    }

    /// <summary>Returns whether a position from another process is on a later timeline.</summary>
    public bool IsAheadOf(uint timeline)
    {
        foreach (var learned in _positions)
            if (learned.PrimaryEpoch == KnownPosition.Unknown && learned.Position.Timeline > timeline) return true;
        return false;
    }

    /// <summary>
    /// Replaces positions from other processes that are beyond a sample of the primary, taken after they were received, by the primary's
    /// current position. Returns the loss, or <see langword="null"/> if none exists.
    /// </summary>
    public LostWrite? Verify(NodeState primary)
    {
        LostWrite? lost = null;
        for (var i = _positions.Count - 1; i >= 0; i--)
        {
            var learned = _positions[i];
            if (!IsBeyond(learned, primary)) continue;
            lost ??= LostWrite.Of(learned.Position, isCertain: false, isWritten, learned.Position.Timeline == primary.Timeline
                ? $"the primary has only come to {primary.InsertLsn}, so the position is forged or its write was lost in a crash"
                : $"the primary is on timeline {primary.Timeline}, so the position is forged or of a primary that is not there");
            GiveWay(i, primary, keepsPosition: false);
        }

        return lost;
    }

    /// <summary>
    /// Replaces positions that are not part of the cluster's current history, or may not be, by the current position of the primary.
    /// Returns the worst loss, or <see langword="null"/> if none exists.
    /// </summary>
    public LostWrite? Validate(NodeState primary, TimelineChain chain)
    {
        LostWrite? lost = null;
        for (var i = _positions.Count - 1; i >= 0; i--)
        {
            var learned = _positions[i];
            if (learned.Position.Timeline == primary.Timeline && learned.PrimaryEpoch == primary.PrimaryEpoch) continue;

            // The snapshot is older than the position: another flow of the session, or another process, has detected a promotion first.
            if (learned.Position.Timeline > primary.Timeline) continue;
            var survival = chain.SurvivalOf(learned, primary.Timeline);
            if (survival == Survival.Holds) continue;

            // What was observed is known only by an upper bound, which may be beyond a fork even if nothing that was returned is.
            var isCertain = survival == Survival.Lost && isWritten;
            lost = LostWrite.Worse(lost, LostWrite.Of(learned.Position, isCertain, isWritten, chain.DescribeEnd(learned.Position)));
            GiveWay(i, primary, keepsPosition: survival == Survival.MayBeLost && learned.Position.Timeline == primary.Timeline);
        }

        return lost;
    }

    /// <summary>
    /// Removes positions that a crash lost, or may have lost, while the primary is unavailable. Returns the worst loss, or
    /// <see langword="null"/> if none exists.
    /// </summary>
    public LostWrite? RemoveCrashed(TimelineChain chain)
    {
        LostWrite? lost = null;
        for (var i = _positions.Count - 1; i >= 0; i--)
        {
            var (position, survival) = (_positions[i].Position, chain.SurvivalOf(_positions[i], _positions[i].Position.Timeline));
            if (survival == Survival.Holds) continue;
            lost = LostWrite.Worse(lost,
                LostWrite.Of(position, isCertain: survival == Survival.Lost && isWritten, isWritten, chain.DescribeEnd(position)));
            _positions.RemoveAt(i);
        }

        return lost;
    }

    /// <summary>Replaces a position by the primary's current one.</summary>
    /// <param name="index">The index of the position.</param>
    /// <param name="primary">The primary.</param>
    /// <param name="keepsPosition">
    /// <see langword="true"/> if the position may have survived: another process may have written it after the crash and after this
    /// snapshot. The primary passes its LSN soon in any case, so the later of the two is kept.
    /// </param>
    private void GiveWay(int index, NodeState primary, bool keepsPosition)
    {
        var present = isWritten ? primary.Lsn : primary.InsertLsn;
        if (keepsPosition && _positions[index].Position.Lsn > present) present = _positions[index].Position.Lsn;
        _positions.RemoveAt(index);
        Add(new KnownPosition(new WalPosition(primary.Timeline, present), primary.PrimaryEpoch));
    }

    private static bool IsBeyond(KnownPosition learned, NodeState primary) =>
        learned.PrimaryEpoch == KnownPosition.Unknown
        && (learned.Position.Timeline > primary.Timeline
            || (learned.Position.Timeline == primary.Timeline
                && primary.Pages.BeforeHeader(learned.Position.Lsn) > primary.InsertLsn));
}
