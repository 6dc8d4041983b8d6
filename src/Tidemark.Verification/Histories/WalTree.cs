namespace Tidemark.Verification;

/// <summary>
/// The timelines of a history and the points at which they fork. A timeline is identified by an index in the order of timeline numbers, so
/// that a later timeline has a larger index. Index 0 is "nowhere": it holds acknowledged commits that are not in any WAL. Immutable.
/// </summary>
internal sealed class WalTree
{
    /// <summary>The index for commits that are not in any WAL.</summary>
    public const int Nowhere = 0;

    /// <summary>The index of the timeline from which all others descend.</summary>
    public const int Root = 1;

    private readonly uint[] _numbers;
    private readonly int[] _parents;
    private readonly long[] _begins;
    private readonly long[] _notBefore;
    private readonly int[] _depths;
    private readonly int[] _jumps;
    private readonly WalTreeOrder _order;

    private WalTree(uint[] numbers, int[] parents, long[] begins, long[] notBefore)
    {
        (_numbers, _parents, _begins, _notBefore) = (numbers, parents, begins, notBefore);
        (_depths, _jumps) = (new int[Count], new int[Count]);

        // Jump pointers (Myers 1983): one additional ancestor for each timeline makes every ancestor reachable in a logarithmic number of
        // steps.
        for (var i = 1; i < Count; i++)
        {
            var parent = parents[i];
            _depths[i] = _depths[parent] + 1;
            var isTwice = _depths[parent] - _depths[_jumps[parent]] == _depths[_jumps[parent]] - _depths[_jumps[_jumps[parent]]];
            _jumps[i] = isTwice ? _jumps[_jumps[parent]] : parent;
        }

        _order = new WalTreeOrder(parents, begins);
    }

    /// <summary>Number of timelines, including "nowhere".</summary>
    public int Count => _numbers.Length;

    /// <summary>The timeline on which history ends.</summary>
    public int Final => Count - 1;

    /// <summary>
    /// Returns the last rank of timeline <paramref name="on"/> that the history of timeline <paramref name="of"/> contains, or -1 if it
    /// contains none of it.
    /// </summary>
    public long Reach(int on, int of)
    {
        if (on == of) return long.MaxValue;
        if (on > of || on == Nowhere) return -1;
        var child = Ancestor(of, _depths[on] + 1);
        return child != Nowhere && _parents[child] == on ? _begins[child] : -1;
    }

    /// <summary>Returns the rank at which a timeline began.</summary>
    public long Begin(int timeline) => _begins[timeline];

    /// <summary>Returns the recorded number of a timeline.</summary>
    public uint Number(int timeline) => _numbers[timeline];

    /// <summary>Returns the last timeline that two timelines have in common, or "nowhere" for commits that are not in any WAL.</summary>
    public int Common(int one, int other)
    {
        if (_depths[one] > _depths[other]) one = Ancestor(one, _depths[other]);
        else other = Ancestor(other, _depths[one]);
        while (one != other)
            (one, other) = _jumps[one] == _jumps[other] ? (_parents[one], _parents[other]) : (_jumps[one], _jumps[other]);
        return one;
    }

    /// <summary>Returns the earliest time at which the history of one timeline can have forked from another's.</summary>
    public long PartedNotBefore(int lost, int current)
    {
        var common = Common(lost, current);
        return _notBefore[common == current ? current : Ancestor(current, _depths[common] + 1)];
    }

    /// <summary>Returns the timeline that was current at a time: the latest one that may have forked off by then.</summary>
    public int CurrentAt(long time)
    {
        for (var timeline = Final; timeline > Root; timeline--)
            if (_notBefore[timeline] <= time) return timeline;
        return int.Min(Root, Final);
    }

    /// <summary>
    /// Returns the latest timeline whose history contains <paramref name="on"/> up to a rank and does not contain any of some other
    /// positions. <paramref name="on"/> itself is a candidate.
    /// </summary>
    /// <param name="on">The timeline.</param>
    /// <param name="rank">The minimum rank of that timeline which the history contains.</param>
    /// <param name="without">Positions, each a timeline and a rank. The method modifies the list.</param>
    public int Latest(int on, long rank, List<(int Timeline, long Rank)> without) => _order.Latest(on, rank, without);

    // The ancestor of a timeline at a depth, or the timeline itself if it is not deeper.
    private int Ancestor(int timeline, int depth)
    {
        while (_depths[timeline] > depth) timeline = _depths[_jumps[timeline]] >= depth ? _jumps[timeline] : _parents[timeline];
        return timeline;
    }

    /// <summary>Returns the index of a timeline by its number, or -1 if none exists.</summary>
    public int IndexOf(uint number) => Array.BinarySearch(_numbers, number) is >= 0 and var index ? index : -1;

    /// <summary>Builds the tree from its forks.</summary>
    /// <param name="forks">The forks.</param>
    /// <param name="ranked">The timelines that contain commits, each with the record of one of its commits.</param>
    /// <exception cref="HistoryException">The forks do not form a tree.</exception>
    public static WalTree Grow(List<ForkRecord> forks, Dictionary<uint, RecordId> ranked)
    {
        SortedSet<uint> numbers = [.. ranked.Keys, .. forks.Select(fork => fork.Parent), .. forks.Select(fork => fork.Child)];
        if (numbers.Count == 0) numbers.Add(1);
        uint[] ordered = [0, .. numbers];
        var parents = new int[ordered.Length];
        var begins = new long[ordered.Length];
        var notBefore = new long[ordered.Length];
        Array.Fill(notBefore, long.MinValue);
        for (var i = 0; i < forks.Count; i++)
        {
            var id = new RecordId(RecordKind.Fork, i);
            var child = Array.BinarySearch(ordered, forks[i].Child);
            if (parents[child] != 0)
                throw new HistoryException(id, $"timeline {forks[i].Child} already branches off timeline {ordered[parents[child]]}.");
            parents[child] = Array.BinarySearch(ordered, forks[i].Parent);
            begins[child] = forks[i].AtRank;
            notBefore[child] = forks[i].NotBefore;
        }

        for (var i = 2; i < ordered.Length; i++)
        {
            if (parents[i] != 0) continue;
            var id = ranked.TryGetValue(ordered[i], out var commit)
                ? commit : new RecordId(RecordKind.Fork, forks.FindIndex(fork => fork.Parent == ordered[i]));
            throw new HistoryException(id, $"no fork leads to timeline {ordered[i]}.");
        }

        for (var i = 0; i < forks.Count; i++)
        {
            var began = begins[Array.BinarySearch(ordered, forks[i].Parent)];
            if (forks[i].AtRank < began)
                throw new HistoryException(new RecordId(RecordKind.Fork, i),
                    $"timeline {forks[i].Parent} begins at rank {began} and cannot be left at rank {forks[i].AtRank}.");
        }

        return new WalTree(ordered, parents, begins, notBefore);
    }
}
