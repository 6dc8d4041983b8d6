namespace Tidemark.Verification;

/// <summary>
/// The timelines of a tree in an order in which all timelines that contain a given commit are contiguous. Each timeline is followed by its
/// children, sorted by the rank at which they left it, and each child by its own children. Immutable.
/// </summary>
internal sealed class WalTreeOrder
{
    private readonly long[] _begins;

    // For each timeline: its index in the order, and the end of the range of its descendants.
    private readonly int[] _positions;
    private readonly int[] _ends;

    // The children of timeline i, sorted by the rank at which they left it: _children[_childStarts[i].._childStarts[i + 1]].
    private readonly int[] _children;
    private readonly int[] _childStarts;

    // The largest timeline of each range whose length is a power of two, as a tree in an array. The order itself begins at the middle.
    private readonly int[] _latest;

    public WalTreeOrder(int[] parents, long[] begins)
    {
        var count = parents.Length;
        _begins = begins;
        (_positions, _ends, _childStarts) = (new int[count], new int[count], new int[count + 1]);
        _children = new int[count - 1];
        var keys = new (int Parent, long Begin, int Index)[count - 1];
        for (var i = 1; i < count; i++)
        {
            keys[i - 1] = (parents[i], begins[i], i);
            _childStarts[parents[i] + 1]++;
        }

        for (var i = 0; i < count; i++) _childStarts[i + 1] += _childStarts[i];
        Array.Sort(keys);
        for (var i = 0; i < keys.Length; i++) _children[i] = keys[i].Index;

        // A child has a larger index than its parent. Therefore sizes are summed from the end, and indexes are assigned from the beginning.
        var sizes = new int[count];
        for (var i = count - 1; i >= 0; i--)
        {
            sizes[i]++;
            if (i > 0) sizes[parents[i]] += sizes[i];
        }

        _latest = new int[2 * count];
        for (var i = 0; i < count; i++)
        {
            _ends[i] = _positions[i] + sizes[i];
            _latest[count + _positions[i]] = i;
            var position = _positions[i] + 1;
            for (var child = _childStarts[i]; child < _childStarts[i + 1]; child++)
            {
                _positions[_children[child]] = position;
                position += sizes[_children[child]];
            }
        }

        for (var i = count - 1; i > 0; i--) _latest[i] = int.Max(_latest[2 * i], _latest[(2 * i) + 1]);
    }

    /// <inheritdoc cref="WalTree.Latest"/>
    public int Latest(int on, long rank, List<(int Timeline, long Rank)> without)
    {
        var (from, end) = Containing(on, rank);
        List<(int From, int End)> cuts =
            [.. without.Select(position => Containing(position.Timeline, position.Rank)).Where(cut => cut.From < cut.End)];
        cuts.Sort();
        var latest = on;
        foreach (var cut in cuts)
        {
            if (from < int.Min(cut.From, end)) latest = int.Max(latest, LatestIn(from, int.Min(cut.From, end)));
            from = int.Max(from, cut.End);
        }

        return from < end ? int.Max(latest, LatestIn(from, end)) : latest;
    }

    // The range of timelines that branch off a timeline at or after a rank.
    private (int From, int End) Containing(int timeline, long rank)
    {
        var (low, high) = (_childStarts[timeline], _childStarts[timeline + 1]);
        while (low < high)
        {
            var middle = (low + high) >> 1;
            if (_begins[_children[middle]] < rank) low = middle + 1;
            else high = middle;
        }

        var end = _ends[timeline];
        return (low < _childStarts[timeline + 1] ? _positions[_children[low]] : end, end);
    }

    private int LatestIn(int from, int end)
    {
        var latest = 0;
        for (var (low, high) = (from + _positions.Length, end + _positions.Length); low < high; (low, high) = (low >> 1, high >> 1))
        {
            if ((low & 1) == 1) latest = int.Max(latest, _latest[low++]);
            if ((high & 1) == 1) latest = int.Max(latest, _latest[--high]);
        }

        return latest;
    }
}
