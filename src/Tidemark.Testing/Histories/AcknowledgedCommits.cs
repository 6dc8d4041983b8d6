namespace Tidemark.Testing;

/// <summary>How far the acknowledged commits of each timeline reached at any time.</summary>
internal sealed class AcknowledgedCommits
{
    private readonly List<(long Time, Mark Mark)>[] _steps;

    // Where the last search ended: the next one is for about the same time, and a search across millions would miss every cache.
    private readonly int[] _last;

    /// <param name="history">The history.</param>
    /// <param name="byEnd">Its operations in the order in which they ended.</param>
    public AcknowledgedCommits(History history, ReadOnlySpan<int> byEnd)
    {
        _steps = new List<(long, Mark)>[history.Tree.Count];
        _last = new int[_steps.Length];
        for (var i = 0; i < _steps.Length; i++) _steps[i] = [];
        foreach (var operation in byEnd)
        {
            ref readonly var write = ref history.Columns.Operations[operation];
            if (!write.IsWrite || write.Outcome != HistoryOutcome.Acknowledged) continue;
            var index = history.Versions.Find(write.Key, write.Version, write.Value);
            if (index == VersionTable.None) continue;
            var steps = _steps[history.Versions[index].Timeline];
            var rank = history.Versions[index].Rank;
            if (steps.Count == 0 || steps[^1].Mark.Rank < rank) steps.Add((write.End, new Mark(rank, operation)));
        }
    }

    /// <summary>Raises a horizon to everything that was acknowledged before a time.</summary>
    public void Before(long time, Horizon horizon)
    {
        for (var timeline = 0; timeline < _steps.Length; timeline++)
        {
            var steps = _steps[timeline];
            var (low, high) = (_last[timeline], _last[timeline]);
            for (var step = 1; low > 0 && steps[low - 1].Time >= time; step *= 2) low = int.Max(0, low - step);
            for (var step = 1; high < steps.Count && steps[high].Time < time; step *= 2) high = int.Min(steps.Count, high + step);
            while (low < high)
            {
                var middle = (low + high) >> 1;
                if (steps[middle].Time < time) low = middle + 1;
                else high = middle;
            }

            _last[timeline] = low;
            if (low > 0) horizon.Raise(timeline, steps[low - 1].Mark);
        }
    }
}
