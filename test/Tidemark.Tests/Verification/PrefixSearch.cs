using Tidemark.Verification;

namespace Tidemark;

/// <summary>
/// Checks a small history by exhaustive search. A state is a set of commits, one bit each. The history is clean if some choice of one state
/// for each read explains everything. A replica shows a prefix of the WAL. A primary shows any state in which the versions of each key are
/// a prefix, and can miss only commits that are not certainly visible. The search does not compare ranks, keep watermarks or sort by time.
/// </summary>
internal sealed class PrefixSearch(SmallHistory history)
{
    private readonly List<State> _replicaStates = ReplicaStates(history);
    private readonly List<State> _primaryStates = PrimaryStates(history);
    private readonly State[] _chosen = new State[history.Reads.Count];

    /// <summary>Commits, and the timeline of the server.</summary>
    public readonly record struct State(int Commits, int Timeline);

    /// <summary>Returns every prefix of every timeline.</summary>
    public static List<State> ReplicaStates(SmallHistory history)
    {
        HashSet<State> states = [];
        for (var timeline = 1; timeline <= Timelines(history); timeline++)
        {
            for (var rank = timeline == 1 ? 0 : history.ForkAt!.Value; rank <= 10; rank++)
                states.Add(new State(
                    Inherited(history, timeline) | All(history, commit => commit.Timeline == timeline && commit.Rank <= rank), timeline));
        }

        return [.. states];
    }

    /// <summary>
    /// Returns, for every timeline, what it began with, and any set of its own commits that contains all earlier versions of each key.
    /// </summary>
    public static List<State> PrimaryStates(SmallHistory history)
    {
        List<State> states = [];
        for (var timeline = 1; timeline <= Timelines(history); timeline++)
        {
            var own = All(history, commit => commit.Timeline == timeline);
            for (var subset = 0; subset < 1 << history.Commits.Count; subset++)
            {
                if ((subset & ~own) != 0) continue;
                var isClosed = history.Commits.Index().Where(at => Has(subset, 1 << at.Index))
                    .All(at => Has(subset,
                        All(history, commit => commit.Timeline == timeline && commit.Key == at.Item.Key
                        && commit.Version < at.Item.Version)));
                if (isClosed) states.Add(new State(Inherited(history, timeline) | subset, timeline));
            }
        }

        return states;
    }

    public bool IsClean() => Choose(0);

    /// <summary>Returns the number of reads that no state shows.</summary>
    public int Torn() => history.Reads.Count(read => !States(read).Any(state => Shows(state, read) && IsWhole(state, read)));

    /// <summary>Returns the number of reads that some state shows, but none that contains what their session wrote.</summary>
    public int MissingOwnWrites() =>
        Count(read => read.Asks.HasFlag(ReadGuarantees.ReadYourWrites),
        (state, read) => Contains(state, OwnWrites(read.Client, read.Start, []), read));

    /// <summary>Returns the number of reads that some state shows, but none that is fresh enough.</summary>
    public int Stale() => Count(_ => true, IsFresh);

    private int Count(Func<SmallHistory.Read, bool> asks, Func<State, SmallHistory.Read, bool> holds) =>
        history.Reads.Count(read => asks(read) && States(read).Any(state => Shows(state, read))
            && !States(read).Any(state => Shows(state, read) && holds(state, read)));

    private List<State> States(SmallHistory.Read read) => read.OnPrimary ? _primaryStates : _replicaStates;

    private bool Choose(int index)
    {
        if (index == history.Reads.Count)
            return history.Reads.Select((_, i) => i).All(IsExplained) && history.Commits.Select((_, i) => i).All(IsInOrder);
        var read = history.Reads[index];
        foreach (var state in States(read))
        {
            _chosen[index] = state;
            if (Shows(state, read) && IsWhole(state, read) && IsFresh(state, read) && Choose(index + 1)) return true;
        }

        return false;
    }

    private bool IsExplained(int index)
    {
        var read = history.Reads[index];
        return (!read.Asks.HasFlag(ReadGuarantees.ReadYourWrites) || Contains(_chosen[index], OwnWrites(read.Client, read.Start, []), read))
            && (!read.Asks.HasFlag(ReadGuarantees.MonotonicReads) || Contains(_chosen[index], Observed(read.Client, read.Start, []), read));
    }

    // A session is bound to a prefix of the WAL. A primary shows the part of it that is certainly visible, and must have the same history.
    private bool Contains(State state, int required, SmallHistory.Read read) => read.OnPrimary
        ? Each(required).All(i => IsOfHistory(i, state.Timeline)) && HasWhatIsVisible(state, required, read)
        : Has(state.Commits, required);

    private bool IsWhole(State state, SmallHistory.Read read) => !read.OnPrimary || HasWhatIsVisible(state, state.Commits, read);

    private bool HasWhatIsVisible(State state, int required, SmallHistory.Read read) =>
        Each(Before(required)).All(i => Has(state.Commits, 1 << i) || !IsVisible(i, read.Start));

    // This or a later version of the row on the same server was acknowledged, or its server process had ended.
    private bool IsVisible(int index, int time)
    {
        var one = history.Commits[index];
        return history.Commits.Index()
            .Any(at => at.Item.Key == one.Key && at.Item.Timeline == one.Timeline && at.Item.Version >= one.Version
            && (IsAcknowledgedBefore(at.Index, time) || at.Item.SettledAt < time));
    }

    // Adds all commits that precede each commit.
    private int Before(int commits) => Each(commits).Select(i => history.Commits[i]).Aggregate(commits, (all, one) =>
        all | Inherited(history, one.Timeline) | All(history, commit => commit.Timeline == one.Timeline && commit.Rank <= one.Rank));

    private bool IsOfHistory(int commit, int timeline) =>
        history.Commits[commit].Timeline == timeline || Has(Inherited(history, timeline), 1 << commit);

    // A write follows everything that its session wrote and observed before, unless history continued without that.
    private bool IsInOrder(int index)
    {
        var write = history.Commits[index];
        var before = OwnWrites(write.Client, write.Start, []) | Observed(write.Client, write.Start, []);
        return Each(before).Select(i => history.Commits[i])
            .All(earlier => earlier.Timeline == write.Timeline ? earlier.Rank < write.Rank : earlier.Timeline < write.Timeline);
    }

    private bool Shows(State state, SmallHistory.Read read) => read.Rows.All(row =>
    {
        var last = history.Commits.Where((commit, i) => commit.Key == row.Key && Has(state.Commits, 1 << i))
            .MaxBy(commit => commit.Version);
        return (last?.Version ?? 0, last?.Value ?? 0) == (row.Version, row.Value);
    });

    // A commit that history continued without makes no read stale.
    private bool IsFresh(State state, SmallHistory.Read read)
    {
        if (read.MaxStaleness is not { } bound) return true;
        var required = Each(~0).Where(i => IsAcknowledgedBefore(i, read.Start - bound) && !IsLostTo(state, i))
            .Aggregate(0, (all, i) => all | (1 << i));
        return Contains(state, required, read);
    }

    private bool IsLostTo(State state, int commit) =>
        history.Commits[commit].Timeline < state.Timeline && !IsOfHistory(commit, state.Timeline);

    private bool IsAcknowledgedBefore(int index, int time) =>
        history.Commits[index].Outcome == HistoryOutcome.Acknowledged && history.Commits[index].End < time;

    // A session is bound by its write in doubt once the write has ended and its server process is gone. If a failover lost the write, it
    // binds nothing.
    private bool IsSettledBefore(int index, int time) =>
        history.Commits[index] is { Outcome: HistoryOutcome.Unknown } commit && commit.SettledAt < time && commit.End < time
            && IsOfHistory(index, Timelines(history));

    private int OwnWrites(int client, int time, HashSet<(int, int)> asked) => Union(client, time, asked, OwnWrites, (who, when) =>
        history.Commits.Select((commit, i) => commit.Client == who && (IsAcknowledgedBefore(i, when) || IsSettledBefore(i, when))
            ? 1 << i : 0));

    private int Observed(int client, int time, HashSet<(int, int)> asked) => Union(client, time, asked, Observed, (who, when) =>
        history.Reads.Select((read, i) => read.Client == who && read.End < when ? _chosen[i].Commits : 0));

    // Of the client itself and of all clients that handed a session over to it.
    private int Union(int client, int time, HashSet<(int, int)> asked, Func<int, int, HashSet<(int, int)>, int> recurse, Func<int, int,
        IEnumerable<int>> own)
    {
        if (!asked.Add((client, time))) return 0;
        var union = own(client, time).Aggregate(0, (all, one) => all | one);
        foreach (var handOver in history.HandOvers.Where(handOver => handOver.To == client && handOver.ImportedAt < time))
            union |= recurse(handOver.From, handOver.ExportedAt, asked);
        return union;
    }

    private IEnumerable<int> Each(int commits) => Enumerable.Range(0, history.Commits.Count).Where(i => (commits >> i & 1) == 1);

    private static int Timelines(SmallHistory history) => history.ForkAt is null ? 1 : 2;

    private static int Inherited(SmallHistory history, int timeline) =>
        timeline == 1 ? 0 : All(history, commit => commit.Timeline == 1 && commit.Rank <= history.ForkAt);

    private static int All(SmallHistory history, Func<SmallHistory.Commit, bool> isMember) =>
        history.Commits.Index().Aggregate(0, (all, at) => isMember(at.Item) ? all | (1 << at.Index) : all);

    private static bool Has(int state, int commits) => (state & commits) == commits;
}
