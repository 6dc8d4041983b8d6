namespace Tidemark.Verification;

/// <summary>
/// What reads of a session must contain: the farthest mark on each timeline that is not contained in another mark's history already. One
/// mark is the rule. There are several after a failover, until it is settled which of them history went on without. So its size does not
/// depend on how many timelines there are.
/// </summary>
internal sealed class Watermark
{
    // By timeline, the latest last.
    private (int Timeline, Mark Mark)[] _marks = [];

    /// <summary>How many marks there are.</summary>
    public int Count { get; private set; }

    /// <summary>A mark, counted from the one on the earliest timeline.</summary>
    public (int Timeline, Mark Mark) this[int index] => _marks[index];

    public void Raise(WalTree tree, int timeline, Mark mark)
    {
        if (mark.Rank == 0) return;
        var at = Count;
        for (var i = Count - 1; i >= 0; i--)
        {
            var (other, marked) = _marks[i];
            if (other >= timeline)
            {
                if (mark.Rank <= (other == timeline ? marked.Rank : tree.Reach(timeline, other))) return;
                at = i;
            }

            // What the history of the new mark contains needs no mark of its own.
            if (other > timeline || marked.Rank > (other == timeline ? mark.Rank : tree.Reach(other, timeline))) continue;
            Array.Copy(_marks, i + 1, _marks, i, --Count - i);
            if (other < timeline) at--;
        }

        if (Count == _marks.Length) Array.Resize(ref _marks, int.Max(1, 2 * Count));
        Array.Copy(_marks, at, _marks, at + 1, Count++ - at);
        _marks[at] = (timeline, mark);
    }

    public void Raise(WalTree tree, Watermark other)
    {
        for (var i = 0; i < other.Count; i++) Raise(tree, other[i].Timeline, other[i].Mark);
    }

    /// <summary>Forgets everything, and is raised to one mark.</summary>
    public void Set(WalTree tree, (int Timeline, Mark Mark) mark)
    {
        Count = 0;
        Raise(tree, mark.Timeline, mark.Mark);
    }

    public Watermark Copy() => new() { _marks = [.. _marks.AsSpan(0, Count)], Count = Count };

    /// <summary>
    /// Those of its marks of which something is true go back to where they were left behind by the history of a timeline.
    /// </summary>
    public void Restart(WalTree tree, int current, Predicate<(int Timeline, Mark Mark)> isLost)
    {
        List<(int Timeline, Mark Mark)>? lost = null;
        for (var i = Count - 1; i >= 0; i--)
        {
            if (!isLost(_marks[i])) continue;
            (lost ??= []).Add(_marks[i]);
            Array.Copy(_marks, i + 1, _marks, i, --Count - i);
        }

        if (lost is null) return;
        foreach (var mark in lost)
        {
            var (timeline, kept) = Kept(tree, mark, current);
            Raise(tree, timeline, kept);
        }
    }

    /// <summary>What the history of a timeline kept of a mark; rank 0 for nothing.</summary>
    public static (int Timeline, Mark Mark) Kept(WalTree tree, (int Timeline, Mark Mark) lost, int current)
    {
        var common = tree.Common(lost.Timeline, current);
        if (common == WalTree.Nowhere) return default;
        var rank = long.Min(lost.Timeline == common ? lost.Mark.Rank : tree.Reach(common, lost.Timeline), tree.Reach(common, current));
        return (common, lost.Mark with { Rank = rank });
    }

    /// <summary>Whether the history of what is marked contains a place.</summary>
    public bool Covers(WalTree tree, int timeline, long rank)
    {
        for (var i = Count - 1; i >= 0 && _marks[i].Timeline >= timeline; i--)
        {
            if (rank <= (_marks[i].Timeline == timeline ? _marks[i].Mark.Rank : tree.Reach(timeline, _marks[i].Timeline))) return true;
        }

        return false;
    }
}
