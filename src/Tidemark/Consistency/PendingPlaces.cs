using System.Runtime.InteropServices;

namespace Tidemark;

/// <summary>
/// What of a session ended somewhere in history, and it is not known yet where: its writes, and what it has seen. A sample of the primary that was started after
/// them resolves both; what is in doubt has to be settled first. Not safe for several threads at once.
/// </summary>
internal sealed class PendingPlaces
{
    private readonly List<PendingWrite> _writes = [];
    private readonly List<PendingSight> _sights = [];
    private long _marks;
    private int _underWay;

    /// <summary>Nothing has ended somewhere; writes that are under way do not count.</summary>
    public bool IsEmpty => _writes.Count == 0 && _sights.Count == 0;

    /// <summary>How far writes reach is not known, or changes now.</summary>
    public bool HasWrites => _writes.Count > 0 || _underWay > 0;

    public bool HasSights => _sights.Count > 0;

    /// <summary>A connection broke during a commit, and it is not settled whether that happened.</summary>
    public bool IsInDoubt => _writes.Exists(w => w.IsInDoubt);

    /// <summary>What was seen, if it was seen on one node; <see langword="null"/>: nothing, or on several.</summary>
    public PendingSight? OnlySight => _sights.Count == 1 ? _sights[0] : null;

    public IEnumerable<uint> Timelines => _writes.Select(w => w.Timeline).Concat(_sights.Select(s => s.Timeline));

    /// <summary>The server processes, of whichever primary, that may still commit something; zero stands for one that is unknown.</summary>
    public IEnumerable<int> BackendsInDoubt => _writes.Where(w => w.IsInDoubt).Select(w => w.Backend).Distinct();

    public void BeginWrite() => _underWay++;

    /// <summary>A write that is under way has ended at a known place, or did not happen.</summary>
    public void EndWrite() => _underWay--;

    /// <summary>A write has ended somewhere.</summary>
    public void Add(PendingWrite write) => _writes.Add(write with { Mark = ++_marks });

    /// <summary>A node has shown something.</summary>
    public void Add(PendingSight sight)
    {
        sight = sight with { Mark = ++_marks };
        var same = _sights.Count - 1;
        while (same >= 0 && !_sights[same].IsLike(sight)) same--;

        // The first connection vouches for what came before: a later one may lead to a life of the server that no probe has noticed yet.
        if (same >= 0) _sights[same] = sight with { Connection = _sights[same].Connection };
        else _sights.Add(sight);
    }

    /// <summary>
    /// What a sample of the primary, taken after this call, would resolve of what a read must include. Null: nothing, or the read can stay where it is without.
    /// </summary>
    /// <param name="demands">What the read asks for.</param>
    /// <param name="snapshot">The nodes now.</param>
    /// <param name="mayStay">The read may go to the node that everything was seen on.</param>
    /// <param name="must">What it must include besides.</param>
    public long? NeedsSample(ConsistencyDemands demands, ClusterSnapshot snapshot, bool mayStay, Place? must)
    {
        if (demands.HasFlag(ConsistencyDemands.Written) && _underWay == 0)
        {
            // What is in doubt is settled once the backend that may still commit is known to be gone, with its server's life or its timeline.
            foreach (var write in _writes)
                if (!write.IsOpen(snapshot)) return _marks;
        }

        if (!demands.HasFlag(ConsistencyDemands.Seen) || _sights.Count == 0) return null;
        if (!mayStay || OnlySight is not { OnPrimary: false } sight) return _marks;

        // A node that history went on past cannot serve, and the primary must not before it is known what became of what the node has shown.
        var node = snapshot.Nodes[sight.Node.Index];
        var mayServe = node.Standing == NodeStanding.Replica && node.Epoch == sight.Node.Epoch && (must is not { } place || Router.Leads(node, snapshot, place));
        return mayServe ? null : _marks;
    }

    /// <summary>
    /// Moves what was pending at the mark to the horizons, by a sample of the primary that was started after it. Gives what was lost, if history was broken in
    /// between: a sample of another timeline says nothing about a position on the one before.
    /// </summary>
    public LostWrite? Resolve(long mark, NodeState primary, ClusterSnapshot snapshot, Horizon written, Horizon seen)
    {
        var lost = Validate(primary, snapshot);
        foreach (var write in _writes)
        {
            if (write.Mark > mark || write.IsOpen(snapshot)) continue;
            if (write.IsInDoubt && write.Timeline != 0 && write.Timeline != primary.Timeline)
                lost = LostWrite.Worse(lost, LostWrite.OfUnknownPlace(write.Timeline, primary.Timeline));

            // The commit may not have waited for its flush, which only its own connection could tell: it is beyond the flush position then.
            written.Add(new Stamp(new Place(primary.Timeline, primary.InsertPosition), primary.Incarnation));
        }

        foreach (var sight in _sights)
        {
            // Others' asynchronous commits are seen on the primary before they are flushed; replicas receive flushed WAL only.
            var bound = sight.OnPrimary ? primary.InsertPosition : primary.Position;
            if (sight.Mark <= mark) seen.Add(new Stamp(new Place(primary.Timeline, bound), primary.Incarnation));
        }

        _writes.RemoveAll(w => w.Mark <= mark && !w.IsOpen(snapshot));
        _sights.RemoveAll(s => s.Mark <= mark);
        return lost;
    }

    /// <summary>
    /// What ended on a timeline, or in a life of the primary, that is over: no sample of this one tells where. That is told at once, and it is pending in the
    /// present from then on. What is in doubt was never acknowledged, and has its own end.
    /// </summary>
    public LostWrite? Validate(NodeState primary, ClusterSnapshot snapshot)
    {
        LostWrite? lost = null;
        foreach (ref var write in CollectionsMarshal.AsSpan(_writes))
        {
            if (write.IsInDoubt || !IsOver(write.Timeline, write.Incarnation, primary)) continue;
            lost = LostWrite.Worse(lost, write.Timeline == primary.Timeline ? LostWrite.OfCrash(wasWritten: true) : LostWrite.OfUnknownPlace(write.Timeline, primary.Timeline));
            write = write with { Timeline = primary.Timeline, Incarnation = primary.Incarnation };
        }

        foreach (ref var sight in CollectionsMarshal.AsSpan(_sights))
        {
            // A crash of the primary loses what was not flushed, which no replica has shown.
            if (!IsOver(sight.Timeline, sight.OnPrimary ? sight.Incarnation : Stamp.Unknown, primary)) continue;
            if (sight.Timeline == primary.Timeline) lost = LostWrite.Worse(lost, LostWrite.OfCrash(wasWritten: false));
            else if (!sight.HasComeTo(primary.Timeline, snapshot)) lost = LostWrite.Worse(lost, LostWrite.OfUnknownSight(sight.Timeline, primary.Timeline));
            sight = sight with { Timeline = primary.Timeline, Incarnation = primary.Incarnation };
        }

        return lost;
    }

    /// <summary>The server processes of the primary that may still commit something; empty: none is known.</summary>
    public int[] BackendsInDoubtAt(NodeState primary)
    {
        // Asked before every read: nothing is allocated where there is no doubt.
        List<int>? backends = null;
        foreach (var write in _writes)
        {
            if (write.Backend == 0 || write.OpenTransaction is not null || !write.IsInDoubtAt(primary)) continue;
            if (backends?.Contains(write.Backend) == true) continue;
            (backends ??= []).Add(write.Backend);
        }

        return backends is null ? [] : [.. backends];
    }

    /// <summary>Server processes of the primary are gone: what they were to commit is committed or never will be, and a sample taken from now on has it.</summary>
    public void Settle(NodeState primary, int[] gone)
    {
        foreach (ref var write in CollectionsMarshal.AsSpan(_writes))
            if (write.IsInDoubtAt(primary) && gone.Contains(write.Backend)) write = write with { IsInDoubt = false, Mark = ++_marks };
    }

    /// <summary>The transactions of the primary that were open when they were left, and may still be committed; empty: none.</summary>
    public string[] OpenTransactionsAt(NodeState primary)
    {
        List<string>? open = null;
        foreach (var write in _writes)
            if (write.OpenTransaction is { } transaction && write.IsInDoubtAt(primary)) (open ??= []).Add(transaction);
        return open is null ? [] : [.. open];
    }

    /// <summary>Transactions of the primary have ended: a sample taken from now on has what they committed.</summary>
    public void Settle(NodeState primary, string[] ended)
    {
        foreach (ref var write in CollectionsMarshal.AsSpan(_writes))
        {
            if (write.OpenTransaction is not { } transaction || !write.IsInDoubtAt(primary) || !ended.Contains(transaction)) continue;
            write = write with { IsInDoubt = false, Mark = ++_marks };
        }
    }

    private static bool IsOver(uint timeline, int incarnation, NodeState primary) =>
        timeline != 0 && (timeline < primary.Timeline || (timeline == primary.Timeline && incarnation != Stamp.Unknown && incarnation != primary.Incarnation));
}
