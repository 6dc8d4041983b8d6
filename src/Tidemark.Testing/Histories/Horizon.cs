namespace Tidemark.Testing;

/// <summary>The farthest rank on one timeline, and the operation that it comes from.</summary>
internal record struct Mark(long Rank, int Operation);

/// <summary>
/// What somebody's reads must contain: the farthest mark on each timeline. One mark is the rule; there are several after a
/// failover, until it is settled which of them history went on without.
/// </summary>
internal readonly ref struct Horizon(Span<Mark> marks)
{
    private readonly Span<Mark> _marks = marks;

    public Mark this[int timeline] => _marks[timeline];

    public int Count => _marks.Length;

    public void Raise(int timeline, Mark mark)
    {
        if (mark.Rank > _marks[timeline].Rank) _marks[timeline] = mark;
    }

    public void Raise(Horizon other)
    {
        for (var i = 0; i < _marks.Length; i++) Raise(i, other[i]);
    }

    public void Clear() => _marks.Clear();

    public void CopyTo(Horizon other) => _marks.CopyTo(other._marks);

    /// <summary>Goes back to where the marks on one timeline were left behind by the history of another.</summary>
    public void Restart(WalTree tree, int timeline, int current)
    {
        var lost = _marks[timeline];
        _marks[timeline] = default;
        var common = tree.Common(timeline, current);
        if (common == WalTree.Nowhere) return;
        Raise(common, lost with { Rank = long.Min(timeline == common ? lost.Rank : tree.Reach(common, timeline), tree.Reach(common, current)) });
    }

    /// <summary>Whether the history of what is marked contains a place.</summary>
    public bool Covers(WalTree tree, int timeline, long rank)
    {
        for (var i = timeline; i < _marks.Length; i++)
        {
            if (_marks[i].Rank > 0 && rank <= (i == timeline ? _marks[i].Rank : tree.Reach(timeline, i))) return true;
        }

        return false;
    }
}

/// <summary>One horizon for each of many sessions.</summary>
internal sealed class Horizons(int count, int timelines)
{
    private readonly Mark[] _marks = new Mark[checked(count * timelines)];

    public Horizon this[int index] => new(_marks.AsSpan(index * timelines, timelines));
}
