namespace Tidemark.Verification;

/// <summary>
/// What reads of a session must contain: the highest mark on each timeline, unless the history of another mark already contains it. There
/// is usually one mark. There are several after a failover, until it is settled which of them history continued without. The size therefore
/// does not depend on the number of timelines.
/// </summary>
internal sealed class Watermark
{
    // Sorted by timeline, the latest last.
    private (int Timeline, Mark Mark)[] _marks = [];

    /// <summary>Number of marks.</summary>
    public int Count { get; private set; }

    /// <summary>Returns a mark, counted from the one on the earliest timeline.</summary>
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

            // A mark that the history of the new mark contains is removed.
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

    /// <summary>Replaces all marks by one mark.</summary>
    public void Set(WalTree tree, (int Timeline, Mark Mark) mark)
    {
        Count = 0;
        Raise(tree, mark.Timeline, mark.Mark);
    }

    public Watermark Copy() => new() { _marks = [.. _marks.AsSpan(0, Count)], Count = Count };

    /// <summary>Moves each mark that satisfies a condition back to the point where the history of the current timeline left it.</summary>
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

    /// <summary>Returns what the history of a timeline kept of a mark, with rank 0 if it kept nothing.</summary>
    public static (int Timeline, Mark Mark) Kept(WalTree tree, (int Timeline, Mark Mark) lost, int current)
    {
        var common = tree.Common(lost.Timeline, current);
        if (common == WalTree.Nowhere) return default;
        var rank = long.Min(lost.Timeline == common ? lost.Mark.Rank : tree.Reach(common, lost.Timeline), tree.Reach(common, current));
        return (common, lost.Mark with { Rank = rank });
    }

    /// <summary>Returns whether the history of the marks contains a position.</summary>
    public bool Covers(WalTree tree, int timeline, long rank)
    {
        for (var i = Count - 1; i >= 0 && _marks[i].Timeline >= timeline; i--)
        {
            if (rank <= (_marks[i].Timeline == timeline ? _marks[i].Mark.Rank : tree.Reach(timeline, _marks[i].Timeline))) return true;
        }

        return false;
    }
}
