namespace Tidemark;

/// <summary>
/// How far a session's writes, or what its reads have shown, are known to reach: one place for each life of history, the latest in it,
/// since places of
/// different lives are compared only through the chain. Not safe for several threads at once.
/// </summary>
/// <param name="isWritten">It is what the session wrote. False: what it saw.</param>
internal sealed class Watermark(bool isWritten)
{
    private readonly List<LearnedPosition> _positions = [];

    public bool IsEmpty => _positions.Count == 0;

    public IEnumerable<uint> Timelines => _positions.Select(s => s.Position.Timeline);

    /// <summary>The latest place; <see langword="null"/>: there is none.</summary>
    public WalPosition? Latest
    {
        get
        {
            WalPosition? latest = null;
            foreach (var learned in _positions) latest = WalPosition.Later(latest, learned.Position);
            return latest;
        }
    }

    /// <summary>The history that leads to the timeline is known to contain every place.</summary>
    public bool IsContainedIn(uint timeline, TimelineChain chain)
    {
        foreach (var learned in _positions)
            if (!chain.Leads(learned.Position, timeline)) return false;
        return true;
    }

    public void Add(LearnedPosition added)
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

    /// <summary>A place from another process lies beyond what the primary is known to have.</summary>
    public bool IsBeyond(NodeState primary)
    {
        foreach (var learned in _positions)
            if (IsBeyond(learned, primary)) return true;
        return false;
    }

    /// <summary>A place from another process is on a later timeline.</summary>
    public bool IsAheadOf(uint timeline)
    {
        foreach (var learned in _positions)
            if (learned.PrimaryEpoch == LearnedPosition.Unknown && learned.Position.Timeline > timeline) return true;
        return false;
    }

    /// <summary>
    /// Places from another process that lie beyond what the primary has, as sampled after they came, give way to its present.
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
    /// Places that are not part of the history that the cluster went on with, or may not be, give way to the present of the primary.
    /// </summary>
    public LostWrite? Validate(NodeState primary, TimelineChain chain)
    {
        LostWrite? lost = null;
        for (var i = _positions.Count - 1; i >= 0; i--)
        {
            var learned = _positions[i];
            if (learned.Position.Timeline == primary.Timeline && learned.PrimaryEpoch == primary.PrimaryEpoch) continue;

            // The snapshot is older than the place: another flow of the session, or another process, has learned of a promotion before it.
            if (learned.Position.Timeline > primary.Timeline) continue;
            var survival = chain.SurvivalOf(learned, primary.Timeline);
            if (survival == Survival.Holds) continue;

            // What was seen is known by a bound, which may lie beyond a fork though nothing that was shown does.
            lost = LostWrite.Worse(lost,
                LostWrite.Of(learned.Position, isCertain: survival == Survival.Lost
                && isWritten, isWritten, chain.DescribeEnd(learned.Position)));
            GiveWay(i, primary, keepsPosition: survival == Survival.MayBeLost && learned.Position.Timeline == primary.Timeline);
        }

        return lost;
    }

    /// <summary>
    /// While the primary is away: removes the places that a crash of it lost, or may have lost. Returns the worst of them;
    /// <see langword="null"/>: there is none.
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

    /// <summary>Replaces a place by what the primary is known to have.</summary>
    /// <param name="index">The place.</param>
    /// <param name="primary">The primary.</param>
    /// <param name="keepsPosition">
    /// The place may have survived: another process may have written it after the crash, and after this snapshot. Its number is passed soon
    /// in any
    /// case, so it is kept where it is farther.
    /// </param>
    private void GiveWay(int index, NodeState primary, bool keepsPosition)
    {
        var present = isWritten ? primary.Lsn : primary.InsertLsn;
        if (keepsPosition && _positions[index].Position.Lsn > present) present = _positions[index].Position.Lsn;
        _positions.RemoveAt(index);
        Add(new LearnedPosition(new WalPosition(primary.Timeline, present), primary.PrimaryEpoch));
    }

    private static bool IsBeyond(LearnedPosition learned, NodeState primary) =>
        learned.PrimaryEpoch == LearnedPosition.Unknown
        && (learned.Position.Timeline > primary.Timeline
            || (learned.Position.Timeline == primary.Timeline
                && primary.Pages.BeforeHeader(learned.Position.Lsn) > primary.InsertLsn));
}
