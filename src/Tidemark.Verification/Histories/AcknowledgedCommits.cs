namespace Tidemark.Verification;

/// <summary>
/// The extent of acknowledged commits at any time: the highest rank on the latest timeline that had an acknowledged commit. This alone
/// decides whether a read is stale. A read on an earlier timeline is stale. A read on a later timeline misses nothing that its history
/// kept.
/// </summary>
internal sealed class AcknowledgedCommits
{
    private readonly List<(long Time, int Timeline, Mark Mark)> _steps = [];

    // Where the last search ended. The next search is for about the same time; a binary search across millions of steps would miss every
    // CPU cache.
    private int _last;

    /// <param name="history">The history.</param>
    /// <param name="byEnd">Its operations in the order in which they ended.</param>
    public AcknowledgedCommits(History history, ReadOnlySpan<int> byEnd)
    {
        foreach (var operation in byEnd)
        {
            ref readonly var write = ref history.Columns.Operations[operation];
            if (!write.IsWrite || write.Outcome != HistoryOutcome.Acknowledged) continue;
            var index = history.Versions.Find(write.Key, write.Version, write.Value);
            if (index == VersionTable.None) continue;
            ref readonly var version = ref history.Versions[index];
            if (_steps.Count == 0 || (_steps[^1].Timeline, _steps[^1].Mark.Rank).CompareTo((version.Timeline, version.Rank)) < 0)
                _steps.Add((write.End, version.Timeline, new Mark(version.Rank, operation)));
        }
    }

    /// <summary>Returns what was acknowledged before a time, with rank 0 if nothing was.</summary>
    public (int Timeline, Mark Mark) Before(long time)
    {
        var (low, high) = (_last, _last);
        for (var step = 1; low > 0 && _steps[low - 1].Time >= time; step *= 2) low = int.Max(0, low - step);
        for (var step = 1; high < _steps.Count && _steps[high].Time < time; step *= 2) high = int.Min(_steps.Count, high + step);
        while (low < high)
        {
            var middle = (low + high) >> 1;
            if (_steps[middle].Time < time) low = middle + 1;
            else high = middle;
        }

        _last = low;
        return low > 0 ? (_steps[low - 1].Timeline, _steps[low - 1].Mark) : default;
    }
}
