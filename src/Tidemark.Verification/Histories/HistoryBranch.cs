namespace Tidemark.Verification;

/// <summary>
/// The part of a history that belongs to one timeline and to what it came from, for checkers that know nothing of forks: all that was
/// committed there, and the reads that were answered from there for certain.
/// </summary>
internal sealed class HistoryBranch
{
    private readonly History _history;
    private readonly int _timeline;
    private readonly int[] _next = new int[HistoryBuilder.MaxKeysPerRead];

    /// <exception cref="ArgumentOutOfRangeException">The history has no such timeline.</exception>
    public HistoryBranch(History history, uint? timeline)
    {
        _history = history;
        _timeline = timeline is { } number ? history.Tree.IndexOf(number) : history.Tree.Final;
        if (_timeline <= WalTree.Nowhere)
            throw new ArgumentOutOfRangeException(nameof(timeline), $"The history has no timeline {timeline}.");
    }

    /// <summary>Whether an operation belongs to it.</summary>
    public bool Contains(int operation)
    {
        ref readonly var one = ref _history.Columns.Operations[operation];
        if (!one.IsWrite) return ContainsRead(one);

        // A write that no WAL has cannot be ordered. One that failed is there, so that a read which shows it is found.
        return _history.CommittedBy(one) is not VersionTable.None and var version ? IsHere(version) : one.Outcome == HistoryOutcome.Failed;
    }

    /// <summary>
    /// The version of a key that a committed write replaced; <see cref="VersionTable.None"/> for the row as it was in the beginning.
    /// </summary>
    public int Before(in Operation write) => write.Version <= 1 ? VersionTable.None : Version(write.Key, write.Version - 1);

    /// <summary>A version of a key as it is on this branch; <see cref="VersionTable.None"/> when there is none.</summary>
    public int Version(int key, int version) => _history.Versions.Next(key, version - 1, _timeline);

    private bool IsHere(int version) =>
        _history.Versions[version].Rank <= _history.Tree.Reach(_history.Versions[version].Timeline, _timeline);

    // A read that may have been answered from a later timeline elsewhere in the tree would look as if it missed what only this one has.
    private bool ContainsRead(in Operation read)
    {
        for (var i = 0; i < read.RowCount; i++)
        {
            var row = _history.Columns.Rows[read.FirstRow + i];
            var shown = _history.Versions.Find(row.Key, row.Version, row.Value);
            if (shown != VersionTable.None && !IsHere(shown)) return false;
        }

        if (_timeline == _history.Tree.Final) return true;
        ReadFit.TryFit(_history, read, _timeline, _next, out var fit);
        var earliest = fit.Shown == VersionTable.None ? WalTree.Root : _history.Versions[fit.Shown].Timeline;
        if (!ReadFit.TryFit(_history, read, earliest, _next, out _)) return true;
        var latest = ReadFit.LatestTimeline(_history, read, earliest);
        return _history.Tree.Common(latest, _timeline) == latest;
    }
}
