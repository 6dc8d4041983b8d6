namespace Tidemark.Testing;

/// <summary>
/// What each session's operations that have ended bind it to: what it wrote, what its reads showed, and what its reads had to contain
/// without showing it (because of its writes, or of a bound of staleness), which later monotonic reads must not miss either.
/// </summary>
internal sealed class SessionHorizons
{
    private readonly WalTree _tree;
    private readonly Horizons _horizons;
    private readonly Horizons _handedOver;
    private readonly Horizons _scratch;
    private readonly long[] _toldAt;
    private readonly Dictionary<int, List<long>> _reports = [];

    public SessionHorizons(History history)
    {
        _tree = history.Tree;
        _horizons = new Horizons(3 * history.ClientCount, _tree.Count);
        _handedOver = new Horizons(3 * history.Columns.HandOvers.Count, _tree.Count);
        _scratch = new Horizons(1, _tree.Count);
        _toldAt = new long[history.ClientCount];
        Array.Fill(_toldAt, long.MinValue);
        foreach (var loss in history.Columns.Losses)
        {
            if (!_reports.TryGetValue(loss.Client, out var times)) _reports.Add(loss.Client, times = []);
            times.Add(loss.Time);
        }
    }

    public Horizon Written(int client) => _horizons[3 * client];

    public Horizon Seen(int client) => _horizons[(3 * client) + 1];

    public Horizon Carried(int client) => _horizons[(3 * client) + 2];

    /// <summary>Raises one of a session's horizons by what an operation showed or did.</summary>
    /// <remarks>Of what had begun when the session was told of a loss, only what history went on with binds it still.</remarks>
    public void Raise(Horizon horizon, in Operation operation, int timeline, Mark mark)
    {
        var toldAt = _toldAt[operation.Client];
        if (toldAt < operation.Start || !IsLostBefore(toldAt, timeline, mark.Rank))
        {
            horizon.Raise(timeline, mark);
            return;
        }

        var scratch = _scratch[0];
        scratch.Clear();
        scratch.Raise(timeline, mark);
        scratch.Restart(_tree, timeline, _tree.Final);
        horizon.Raise(scratch);
    }

    /// <summary>The session was told that it lost something: it starts again where history parted from it.</summary>
    public void Tell(LossRecord loss)
    {
        _toldAt[loss.Client] = loss.Time;
        for (var i = 3 * loss.Client; i < (3 * loss.Client) + 3; i++)
        {
            for (var timeline = 0; timeline < _tree.Count; timeline++)
            {
                if (IsLostBefore(loss.Time, timeline, _horizons[i][timeline].Rank)) _horizons[i].Restart(_tree, timeline, _tree.Final);
            }
        }
    }

    /// <summary>
    /// A read was answered from a history that went on without something of its session, which starts again there. Says whether
    /// the session was told no later than by the answer.
    /// </summary>
    public bool GoOn(in Operation read, int current)
    {
        var isTold = true;
        for (var i = 3 * read.Client; i < (3 * read.Client) + 3; i++)
        {
            // What the read did not ask about need not be told with it.
            if (!read.Asks(i == 3 * read.Client ? ReadGuarantees.ReadYourWrites : ReadGuarantees.MonotonicReads)) continue;
            for (var timeline = 0; timeline < current; timeline++)
            {
                var rank = _horizons[i][timeline].Rank;
                if (rank == 0 || rank <= _tree.Reach(timeline, current)) continue;
                isTold &= IsTold(read, _tree.PartedNotBefore(timeline, current));
                _horizons[i].Restart(_tree, timeline, current);
            }
        }

        return isTold;
    }

    public void Export(int handOver, int from)
    {
        for (var i = 0; i < 3; i++) _horizons[(3 * from) + i].CopyTo(_handedOver[(3 * handOver) + i]);
    }

    public void Import(int handOver, int to)
    {
        for (var i = 0; i < 3; i++) _horizons[(3 * to) + i].Raise(_handedOver[(3 * handOver) + i]);
    }

    private bool IsLostBefore(long time, int timeline, long rank) =>
        rank > 0 && rank > _tree.Reach(timeline, _tree.Final) && _tree.PartedNotBefore(timeline, _tree.Final) <= time;

    private bool IsTold(in Operation read, long partedNotBefore)
    {
        if (!_reports.TryGetValue(read.Client, out var times)) return false;
        foreach (var time in times)
        {
            if (time >= read.Start && time <= read.End && time >= partedNotBefore) return true;
        }

        return false;
    }
}
