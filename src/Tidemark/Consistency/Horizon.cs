namespace Tidemark;

/// <summary>
/// How far a session's writes, or what its reads have shown, are known to reach: one place for each life of history, the latest in it, since places of
/// different lives are compared only through the chain. Not safe for several threads at once.
/// </summary>
/// <param name="isWritten">It is what the session wrote. False: what it saw.</param>
internal sealed class Horizon(bool isWritten)
{
    private readonly List<Stamp> _stamps = [];

    public bool IsEmpty => _stamps.Count == 0;

    public IEnumerable<uint> Timelines => _stamps.Select(s => s.Place.Timeline);

    /// <summary>The latest place; <see langword="null"/>: there is none.</summary>
    public Place? Latest
    {
        get
        {
            Place? latest = null;
            foreach (var stamp in _stamps) latest = Place.Later(latest, stamp.Place);
            return latest;
        }
    }

    /// <summary>The history that leads to the timeline is known to contain every place.</summary>
    public bool IsContainedIn(uint timeline, TimelineChain chain)
    {
        foreach (var stamp in _stamps)
            if (!chain.Leads(stamp.Place, timeline)) return false;
        return true;
    }

    public void Add(Stamp added)
    {
        for (var i = 0; i < _stamps.Count; i++)
        {
            if (_stamps[i].Incarnation != added.Incarnation || _stamps[i].CameIn != added.CameIn || _stamps[i].Place.Timeline != added.Place.Timeline) continue;
            _stamps[i] = added with { Place = Place.Later(_stamps[i].Place, added.Place) };
            return;
        }

        _stamps.Add(added);
    }

    /// <summary>A place from another process lies beyond what the primary is known to have.</summary>
    public bool IsBeyond(NodeState primary)
    {
        foreach (var stamp in _stamps)
            if (IsBeyond(stamp, primary)) return true;
        return false;
    }

    /// <summary>A place from another process is on a later timeline.</summary>
    public bool IsAheadOf(uint timeline)
    {
        foreach (var stamp in _stamps)
            if (stamp.Incarnation == Stamp.Unknown && stamp.Place.Timeline > timeline) return true;
        return false;
    }

    /// <summary>Places from another process that lie beyond what the primary has, as sampled after they came, give way to its present.</summary>
    public LostWrite? Verify(NodeState primary)
    {
        LostWrite? lost = null;
        for (var i = _stamps.Count - 1; i >= 0; i--)
        {
            var stamp = _stamps[i];
            if (!IsBeyond(stamp, primary)) continue;
            lost ??= LostWrite.Of(stamp.Place, isCertain: false, isWritten, stamp.Place.Timeline == primary.Timeline
                ? $"the primary has only come to {primary.InsertLsn}, so the position is forged or its write was lost in a crash"
                : $"the primary is on timeline {primary.Timeline}, so the position is forged or of a primary that is not there");
            GiveWay(i, primary, keepsPosition: false);
        }

        return lost;
    }

    /// <summary>Places that are not part of the history that the cluster went on with, or may not be, give way to the present of the primary.</summary>
    public LostWrite? Validate(NodeState primary, TimelineChain chain)
    {
        LostWrite? lost = null;
        for (var i = _stamps.Count - 1; i >= 0; i--)
        {
            var stamp = _stamps[i];
            if (stamp.Place.Timeline == primary.Timeline && stamp.Incarnation == primary.Incarnation) continue;

            // The snapshot is older than the place: another flow of the session, or another process, has learned of a promotion before it.
            if (stamp.Place.Timeline > primary.Timeline) continue;
            var fate = chain.Judge(stamp, primary.Timeline);
            if (fate == PlaceFate.Holds) continue;

            // What was seen is known by a bound, which may lie beyond a fork though nothing that was shown does.
            lost = LostWrite.Worse(lost, LostWrite.Of(stamp.Place, isCertain: fate == PlaceFate.Lost && isWritten, isWritten, chain.DescribeEnd(stamp.Place)));
            GiveWay(i, primary, keepsPosition: fate == PlaceFate.MayBeLost && stamp.Place.Timeline == primary.Timeline);
        }

        return lost;
    }

    /// <summary>
    /// While the primary is away: removes the places that a crash of it lost, or may have lost. Returns the worst of them; <see langword="null"/>: there is none.
    /// </summary>
    public LostWrite? RemoveCrashed(TimelineChain chain)
    {
        LostWrite? lost = null;
        for (var i = _stamps.Count - 1; i >= 0; i--)
        {
            var (place, fate) = (_stamps[i].Place, chain.Judge(_stamps[i], _stamps[i].Place.Timeline));
            if (fate == PlaceFate.Holds) continue;
            lost = LostWrite.Worse(lost, LostWrite.Of(place, isCertain: fate == PlaceFate.Lost && isWritten, isWritten, chain.DescribeEnd(place)));
            _stamps.RemoveAt(i);
        }

        return lost;
    }

    /// <summary>Replaces a place by what the primary is known to have.</summary>
    /// <param name="index">The place.</param>
    /// <param name="primary">The primary.</param>
    /// <param name="keepsPosition">
    /// The place may have survived: another process may have written it after the crash, and after this snapshot. Its number is passed soon in any
    /// case, so it is kept where it is farther.
    /// </param>
    private void GiveWay(int index, NodeState primary, bool keepsPosition)
    {
        var present = isWritten ? primary.Lsn : primary.InsertLsn;
        if (keepsPosition && _stamps[index].Place.Lsn > present) present = _stamps[index].Place.Lsn;
        _stamps.RemoveAt(index);
        Add(new Stamp(new Place(primary.Timeline, present), primary.Incarnation));
    }

    private static bool IsBeyond(Stamp stamp, NodeState primary) =>
        stamp.Incarnation == Stamp.Unknown
        && (stamp.Place.Timeline > primary.Timeline || (stamp.Place.Timeline == primary.Timeline && stamp.Place.Lsn > primary.InsertLsn));
}
