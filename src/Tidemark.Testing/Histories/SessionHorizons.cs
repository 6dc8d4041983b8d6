namespace Tidemark.Testing;

/// <summary>
/// What each session's operations that have ended bind it to: what it wrote, what its reads showed, and what its reads had to contain
/// without showing it (because of its writes, or of a bound of staleness), which later monotonic reads must not miss either.
/// </summary>
internal sealed class SessionHorizons
{
    private const int PerSession = 3;

    private readonly WalTree _tree;
    private readonly Horizon[] _horizons;
    private readonly Dictionary<int, Horizon[]> _handedOver = [];
    private readonly long[] _toldAt;
    private readonly Dictionary<int, List<long>> _reports = [];

    public SessionHorizons(History history)
    {
        _tree = history.Tree;
        _horizons = new Horizon[PerSession * history.ClientCount];
        for (var i = 0; i < _horizons.Length; i++) _horizons[i] = new Horizon();
        _toldAt = new long[history.ClientCount];
        Array.Fill(_toldAt, long.MinValue);
        foreach (var loss in history.Columns.Losses)
        {
            if (!_reports.TryGetValue(loss.Client, out var times)) _reports.Add(loss.Client, times = []);
            times.Add(loss.Time);
        }

        foreach (var times in _reports.Values) times.Sort();
    }

    public Horizon Written(int client) => _horizons[PerSession * client];

    public Horizon Seen(int client) => _horizons[(PerSession * client) + 1];

    public Horizon Carried(int client) => _horizons[(PerSession * client) + 2];

    /// <summary>Raises one of a session's horizons by what an operation showed or did.</summary>
    /// <remarks>Of what had begun when the session was told of a loss, only what history had gone on with by then binds it still.</remarks>
    public void Raise(Horizon horizon, in Operation operation, int timeline, Mark mark)
    {
        var toldAt = _toldAt[operation.Client];
        var current = toldAt >= operation.Start ? _tree.CurrentAt(toldAt) : _tree.Final;
        if (toldAt >= operation.Start && IsLost(timeline, mark.Rank, current)) (timeline, mark) = Horizon.Kept(_tree, (timeline, mark), current);
        horizon.Raise(_tree, timeline, mark);
    }

    /// <summary>The session was told that it lost something: it starts again where the history of that moment parted from it.</summary>
    /// <remarks>A later failover may go on with an older timeline. What that loses besides is another loss, and the session is told again.</remarks>
    public void Tell(LossRecord loss)
    {
        _toldAt[loss.Client] = loss.Time;
        var current = _tree.CurrentAt(loss.Time);
        for (var i = 0; i < PerSession; i++)
            _horizons[(PerSession * loss.Client) + i].Restart(_tree, current, lost => IsLost(lost.Timeline, lost.Mark.Rank, current));
    }

    /// <summary>
    /// A read was answered from a history that went on without something of its session, which starts again there. Returns what the session
    /// was not told of by the time of the answer; <see langword="null"/>: it was told of everything.
    /// </summary>
    public (int Timeline, Mark Mark)? GoOn(Operation read, int current)
    {
        (int Timeline, Mark Mark)? untold = null;
        for (var i = 0; i < PerSession; i++)
        {
            // What the read did not ask about need not be told with it.
            if (!read.Asks(i == 0 ? ReadGuarantees.ReadYourWrites : ReadGuarantees.MonotonicReads)) continue;
            _horizons[(PerSession * read.Client) + i].Restart(_tree, current, lost =>
            {
                if (lost.Timeline >= current || lost.Mark.Rank <= _tree.Reach(lost.Timeline, current)) return false;
                if (!IsTold(read, _tree.PartedNotBefore(lost.Timeline, current))) untold = lost;
                return true;
            });
        }

        return untold;
    }

    public void Export(int handOver, int from) => _handedOver.Add(handOver, [.. Enumerable.Range(PerSession * from, PerSession).Select(i => _horizons[i].Copy())]);

    public void Import(int handOver, int to)
    {
        if (!_handedOver.Remove(handOver, out var given)) return;
        for (var i = 0; i < PerSession; i++) _horizons[(PerSession * to) + i].Raise(_tree, given[i]);
    }

    /// <summary>Whether the session was told of a loss while a read was under way.</summary>
    public bool IsTold(in Operation read) => IsTold(read, long.MinValue);

    private bool IsLost(int timeline, long rank, int current) => rank > 0 && timeline <= current && rank > _tree.Reach(timeline, current);

    // Whether a report came while the read was under way, and not before history parted.
    private bool IsTold(in Operation read, long partedNotBefore)
    {
        if (!_reports.TryGetValue(read.Client, out var times)) return false;
        var first = times.BinarySearch(long.Max(read.Start, partedNotBefore));
        if (first < 0) first = ~first;
        return first < times.Count && times[first] <= read.End;
    }
}
