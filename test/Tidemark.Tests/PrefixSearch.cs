using Tidemark.Testing;

namespace Tidemark;

/// <summary>
/// Judges a small history by trying: a state is a set of commits, one bit for each, and the history is clean if some choice of one prefix of the WAL for
/// each read explains everything. Knows nothing of ranks compared, horizons or order of time.
/// </summary>
internal sealed class PrefixSearch(SmallHistory history)
{
    private readonly List<int> _states = States(history);
    private readonly int[] _chosen = new int[history.Reads.Count];

    /// <summary>Every prefix of every timeline.</summary>
    public static List<int> States(SmallHistory history)
    {
        HashSet<int> states = [0];
        for (var timeline = 1; timeline <= (history.ForkAt is null ? 1 : 2); timeline++)
        {
            for (var rank = timeline == 1 ? 0 : history.ForkAt!.Value; rank <= 10; rank++)
            {
                var state = 0;
                for (var i = 0; i < history.Commits.Count; i++)
                {
                    var commit = history.Commits[i];
                    if (commit.Timeline == timeline ? commit.Rank <= rank : commit.Timeline < timeline && commit.Rank <= history.ForkAt) state |= 1 << i;
                }

                states.Add(state);
            }
        }

        return [.. states];
    }

    public bool IsClean() => Choose(0);

    /// <summary>Reads that no prefix shows.</summary>
    public int Torn() => history.Reads.Count(read => !_states.Any(state => Shows(state, read)));

    /// <summary>Reads that some prefix shows, but none that has what their session wrote.</summary>
    public int MissingOwnWrites() => Count(read => read.Asks.HasFlag(ReadGuarantees.ReadYourWrites), (state, read) => Has(state, OwnWrites(read.Client, read.Start, [])));

    /// <summary>Reads that some prefix shows, but none that is fresh enough.</summary>
    public int Stale() => Count(_ => true, IsFresh);

    private int Count(Func<SmallHistory.Read, bool> asks, Func<int, SmallHistory.Read, bool> holds) =>
        history.Reads.Count(read => asks(read) && _states.Any(state => Shows(state, read)) && !_states.Any(state => Shows(state, read) && holds(state, read)));

    private bool Choose(int index)
    {
        if (index == history.Reads.Count) return history.Reads.Select((_, i) => i).All(IsExplained) && history.Commits.Select((_, i) => i).All(IsInOrder);
        foreach (var state in _states)
        {
            _chosen[index] = state;
            if (Shows(state, history.Reads[index]) && IsFresh(state, history.Reads[index]) && Choose(index + 1)) return true;
        }

        return false;
    }

    private bool IsExplained(int index)
    {
        var read = history.Reads[index];
        return (!read.Asks.HasFlag(ReadGuarantees.ReadYourWrites) || Has(_chosen[index], OwnWrites(read.Client, read.Start, [])))
            && (!read.Asks.HasFlag(ReadGuarantees.MonotonicReads) || Has(_chosen[index], Seen(read.Client, read.Start, [])));
    }

    // A write comes after everything that its session wrote and saw before, unless history went on without that.
    private bool IsInOrder(int index)
    {
        var write = history.Commits[index];
        var before = OwnWrites(write.Client, write.Start, []) | Seen(write.Client, write.Start, []);
        return history.Commits.Select((_, i) => i).Where(i => (before >> i & 1) == 1).All(i =>
        {
            var earlier = history.Commits[i];
            var isKept = earlier.Timeline == write.Timeline ? earlier.Rank < write.Rank : earlier.Timeline < write.Timeline;
            return isKept;
        });
    }

    private bool Shows(int state, SmallHistory.Read read) => read.Rows.All(row =>
    {
        var last = history.Commits.Where((commit, i) => commit.Key == row.Key && (state >> i & 1) == 1).MaxBy(commit => commit.Version);
        return (last?.Version ?? 0, last?.Value ?? 0) == (row.Version, row.Value);
    });

    private bool IsFresh(int state, SmallHistory.Read read)
    {
        if (read.MaxStaleness is not { } bound) return true;
        return history.Commits.Select((_, i) => i).Where(i => IsAcknowledgedBefore(i, read.Start - bound)).All(i => Has(state, 1 << i) || IsLostTo(state, i));
    }

    // A commit of timeline 1 beyond the fork is lost to states of timeline 2, the first of which is the fork itself.
    private bool IsLostTo(int state, int commit) =>
        history.ForkAt is { } fork && history.Commits[commit] is { Timeline: 1 } lost && lost.Rank > fork && IsOfTimelineTwo(state, fork);

    private bool IsOfTimelineTwo(int state, int fork) =>
        history.Commits.Select((_, i) => i).All(i => history.Commits[i].Timeline == 2 || Has(state, 1 << i) == (history.Commits[i].Rank <= fork));

    private bool IsAcknowledgedBefore(int index, int time) => history.Commits[index].Outcome == HistoryOutcome.Acknowledged && history.Commits[index].End < time;

    private int OwnWrites(int client, int time, HashSet<(int, int)> asked) => Union(client, time, asked, OwnWrites, (who, when) =>
        history.Commits.Select((commit, i) => commit.Client == who && IsAcknowledgedBefore(i, when) ? 1 << i : 0));

    private int Seen(int client, int time, HashSet<(int, int)> asked) => Union(client, time, asked, Seen, (who, when) =>
        history.Reads.Select((read, i) => read.Client == who && read.End < when ? _chosen[i] : 0));

    // Of the client itself and of everybody who handed a session over to it.
    private int Union(int client, int time, HashSet<(int, int)> asked, Func<int, int, HashSet<(int, int)>, int> recurse, Func<int, int, IEnumerable<int>> own)
    {
        if (!asked.Add((client, time))) return 0;
        var union = own(client, time).Aggregate(0, (all, one) => all | one);
        foreach (var handOver in history.HandOvers.Where(handOver => handOver.To == client && handOver.ImportedAt < time))
            union |= recurse(handOver.From, handOver.ExportedAt, asked);
        return union;
    }

    private static bool Has(int state, int commits) => (state & commits) == commits;
}
