namespace Tidemark.Verification;

/// <summary>
/// The timelines of a tree in an order in which what contains a commit is one stretch: each timeline is followed by its children, the one
/// that left it first coming first, and each child by its own. Immutable.
/// </summary>
internal sealed class WalTreeOrder
{
    private readonly long[] _begins;

    // Of each timeline: where it stands in the order, and where those that come out of it end.
    private readonly int[] _positions;
    private readonly int[] _ends;

    // The children of timeline i, by the rank at which they left it: _children[_childStarts[i].._childStarts[i + 1]].
    private readonly int[] _children;
    private readonly int[] _childStarts;

    // The largest timeline of each stretch whose length is a power of two, as a tree in an array: the order itself begins at its middle.
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

        // A child has a larger index than its parent, so that sizes add up from the end, and places from the beginning.
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

    // The stretch of those that came out of a timeline at a rank or beyond it.
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
