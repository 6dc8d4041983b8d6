namespace Tidemark.Verification;

/// <summary>
/// What each session is bound to by its operations that have ended: what it wrote, what its reads showed, and what its reads had to contain
/// without showing it. The last part comes from its writes or from a staleness bound. Later monotonic reads must not miss it either.
/// </summary>
internal sealed class SessionWatermarks
{
    private const int PerSession = 3;

    private readonly WalTree _tree;
    private readonly Watermark[] _watermarks;
    private readonly Dictionary<int, Watermark[]> _handedOver = [];
    private readonly long[] _reportedAt;
    private readonly Dictionary<int, List<long>> _reports = [];

    public SessionWatermarks(History history)
    {
        _tree = history.Tree;
        _watermarks = new Watermark[PerSession * history.ClientCount];
        for (var i = 0; i < _watermarks.Length; i++) _watermarks[i] = new Watermark();
        _reportedAt = new long[history.ClientCount];
        Array.Fill(_reportedAt, long.MinValue);
        foreach (var loss in history.Columns.Losses)
        {
            if (!_reports.TryGetValue(loss.Client, out var times)) _reports.Add(loss.Client, times = []);
            times.Add(loss.Time);
        }

        foreach (var times in _reports.Values) times.Sort();
    }

    public Watermark Written(int client) => _watermarks[PerSession * client];

    public Watermark Observed(int client) => _watermarks[(PerSession * client) + 1];

    public Watermark Carried(int client) => _watermarks[(PerSession * client) + 2];

    /// <summary>Raises one of a session's watermarks by what an operation showed or did.</summary>
    /// <remarks>
    /// For operations that had begun when a loss was reported to the session, only what history had kept by then still binds the session.
    /// </remarks>
    public void Raise(Watermark watermark, in Operation operation, int timeline, Mark mark)
    {
        var reportedAt = _reportedAt[operation.Client];
        var current = reportedAt >= operation.Start ? _tree.CurrentAt(reportedAt) : _tree.Final;
        if (reportedAt >= operation.Start && IsLost(timeline, mark.Rank, current))
            (timeline, mark) = Watermark.Kept(_tree, (timeline, mark), current);
        watermark.Raise(_tree, timeline, mark);
    }

    /// <summary>
    /// Records that a loss was reported to the session. The session restarts at the point where the history of that moment forked off.
    /// </summary>
    /// <remarks>
    /// A later failover may continue on an older timeline. What is lost by that is another loss, which must be reported to the session
    /// again.
    /// </remarks>
    public void Report(LossRecord loss)
    {
        _reportedAt[loss.Client] = loss.Time;
        var current = _tree.CurrentAt(loss.Time);
        for (var i = 0; i < PerSession; i++)
            _watermarks[(PerSession * loss.Client) + i].Restart(_tree, current, lost => IsLost(lost.Timeline, lost.Mark.Rank, current));
    }

    /// <summary>
    /// Handles a read that was answered from a history which continued without something of its session. The session restarts from that
    /// history. Returns what had not been reported to the session by the time of the answer, or <see langword="null"/> if everything was
    /// reported.
    /// </summary>
    public (int Timeline, Mark Mark)? GoOn(Operation read, int current)
    {
        (int Timeline, Mark Mark)? unreported = null;
        for (var i = 0; i < PerSession; i++)
        {
            // A loss that concerns only guarantees which the read did not require need not be reported with it.
            if (!read.Asks(i == 0 ? ReadGuarantees.ReadYourWrites : ReadGuarantees.MonotonicReads)) continue;
            _watermarks[(PerSession * read.Client) + i].Restart(_tree, current, lost =>
            {
                if (lost.Timeline >= current || lost.Mark.Rank <= _tree.Reach(lost.Timeline, current)) return false;
                if (!IsReported(read, _tree.PartedNotBefore(lost.Timeline, current))) unreported = lost;
                return true;
            });
        }

        return unreported;
    }

    public void Export(int handOver, int from) =>
        _handedOver.Add(handOver, [.. Enumerable.Range(PerSession * from, PerSession).Select(i => _watermarks[i].Copy())]);

    public void Import(int handOver, int to)
    {
        if (!_handedOver.Remove(handOver, out var given)) return;
        for (var i = 0; i < PerSession; i++) _watermarks[(PerSession * to) + i].Raise(_tree, given[i]);
    }

    /// <summary>Returns whether a loss was reported to the session while a read was in progress.</summary>
    public bool IsReported(in Operation read) => IsReported(read, long.MinValue);

    private bool IsLost(int timeline, long rank, int current) => rank > 0 && timeline <= current && rank > _tree.Reach(timeline, current);

    // Returns whether a report arrived while the read was in progress, and not before the fork.
    private bool IsReported(in Operation read, long partedNotBefore)
    {
        if (!_reports.TryGetValue(read.Client, out var times)) return false;
        var first = times.BinarySearch(long.Max(read.Start, partedNotBefore));
        if (first < 0) first = ~first;
        return first < times.Count && times[first] <= read.End;
    }
}
