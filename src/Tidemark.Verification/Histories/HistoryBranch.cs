namespace Tidemark.Verification;

/// <summary>
/// The part of a history that belongs to one timeline and its ancestors, for checkers that do not support forks. It contains all commits of
/// that branch, and the reads that were certainly answered from it.
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

    /// <summary>Returns whether an operation belongs to the branch.</summary>
    public bool Contains(int operation)
    {
        ref readonly var one = ref _history.Columns.Operations[operation];
        if (!one.IsWrite) return ContainsRead(one);

        // A write that is not in any WAL cannot be ordered. A failed write is included, so that a read which shows it is detected.
        return _history.CommittedBy(one) is not VersionTable.None and var version ? IsHere(version) : one.Outcome == HistoryOutcome.Failed;
    }

    /// <summary>
    /// Returns the version of a key that a committed write replaced, or <see cref="VersionTable.None"/> if the write replaced the initial
    /// row.
    /// </summary>
    public int Before(in Operation write) => write.Version <= 1 ? VersionTable.None : Version(write.Key, write.Version - 1);

    /// <summary>Returns a version of a key on this branch, or <see cref="VersionTable.None"/> if none exists.</summary>
    public int Version(int key, int version) => _history.Versions.Next(key, version - 1, _timeline);

    private bool IsHere(int version) =>
        _history.Versions[version].Rank <= _history.Tree.Reach(_history.Versions[version].Timeline, _timeline);

    // A read that may have been answered from a later timeline elsewhere in the tree would appear to miss what only this branch contains.
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
