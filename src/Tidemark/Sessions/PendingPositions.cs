using System.Runtime.InteropServices;

namespace Tidemark;

/// <summary>
/// What of a session ended somewhere in history, and it is not known yet where: its writes, and what it has seen. A sample of the primary
/// that was started after
/// them resolves both; what is in doubt has to be settled first. Not safe for several threads at once.
/// </summary>
internal sealed class PendingPositions
{
    private readonly List<PendingWrite> _writes = [];
    private readonly List<PendingObservation> _observations = [];
    private long _marks;
    private int _underWay;
    private int _shownWithWrites;

    /// <summary>Nothing has ended somewhere; writes that are under way do not count.</summary>
    public bool IsEmpty => _writes.Count == 0 && _observations.Count == 0;

    /// <summary>How far writes reach is not known, or changes now.</summary>
    public bool HasWrites => _writes.Count > 0 || _underWay > 0;

    public bool HasObservations => _observations.Count > 0 || _shownWithWrites > 0;

    /// <summary>
    /// Something was seen, and no sample bounds it that was started after the mark; zero: after everything was closed that shows more.
    /// </summary>
    public bool HasObservationsAt(long mark)
    {
        if (mark == 0 || _shownWithWrites > 0) return HasObservations;
        foreach (var observation in _observations)
            if (observation.BoundAt < mark) return true;
        return false;
    }

    /// <summary>A mark for one read: samples that are started after it bound all that was shown before the read began.</summary>
    public long NextMark() => ++_marks;

    /// <summary>A connection broke during a commit, and it is not settled whether that happened.</summary>
    public bool IsInDoubt => _writes.Exists(w => w.IsInDoubt);

    /// <summary>What was seen, if it was seen on one node; <see langword="null"/>: nothing, or on several.</summary>
    public PendingObservation? OnlyObservation => _observations.Count == 1 && _shownWithWrites == 0 ? _observations[0] : null;

    public IEnumerable<uint> Timelines => _writes.Select(w => w.Timeline).Concat(_observations.Select(s => s.Timeline));

    /// <summary>The server processes, of whichever primary, that may still commit something; zero stands for one that is unknown.</summary>
    public IEnumerable<int> BackendsInDoubt => _writes.Where(w => w.IsInDoubt).Select(w => w.Backend).Distinct();

    public void BeginWrite() => _underWay++;

    /// <summary>A write that is under way has ended at a known place, or did not happen.</summary>
    public void EndWrite() => _underWay--;

    /// <summary>
    /// A write has ended somewhere. The session may never read: one entry stands for all writes that the same samples resolve, with the
    /// latest mark.
    /// </summary>
    public void Add(PendingWrite write)
    {
        write = write.Simplified;
        var same = _writes.Count - 1;
        while (same >= 0 && !_writes[same].IsLike(write)) same--;
        if (same >= 0) _writes[same] = write with { Mark = ++_marks };
        else _writes.Add(write with { Mark = ++_marks });
    }

    /// <summary>A connection for writing is open, on which the primary shows what no sample bounds before it is closed.</summary>
    public void BeginShowingWithWrites() => _shownWithWrites++;

    /// <summary>That connection was closed.</summary>
    public void EndShowingWithWrites() => _shownWithWrites--;

    /// <summary>A node has shown something.</summary>
    public void Add(PendingObservation observation)
    {
        observation = observation with { Mark = ++_marks };
        var same = _observations.Count - 1;
        while (same >= 0 && !_observations[same].IsLike(observation)) same--;

        // The first connection vouches for what came before: a later one may lead to a life of the server that no probe has noticed yet.
        if (same >= 0)
            _observations[same] =
            observation with { Connection = _observations[same].Connection, UnderWay = observation.UnderWay
            + _observations[same].UnderWay };
        else AddFirst(observation);
    }

    // Sessions read from one node or two: a list would begin with room for four.
    private void AddFirst(in PendingObservation observation)
    {
        if (_observations.Capacity == 0) _observations.Capacity = 2;
        _observations.Add(observation);
    }

    /// <summary>
    /// A connection was closed on which a node was showing something (<see cref="PendingObservation.UnderWay"/>): what it showed has ended
    /// somewhere.
    /// </summary>
    public void EndObservation(NodeEpoch node, bool onPrimary)
    {
        foreach (ref var observation in CollectionsMarshal.AsSpan(_observations))
        {
            // A timeline that came to its end meanwhile was reported, and has given way to the current one.
            if (observation.UnderWay == 0 || observation.Node != node || observation.OnPrimary != onPrimary) continue;
            observation = observation with { Mark = ++_marks, UnderWay = observation.UnderWay - 1 };
            return;
        }
    }

    /// <summary>
    /// What a sample of the primary, taken after this call, would resolve of what a read must include. Null: nothing, or the read can stay
    /// where it is without.
    /// </summary>
    /// <param name="demands">What the read asks for.</param>
    /// <param name="snapshot">The nodes now.</param>
    /// <param name="mayStay">The read may go to the node that everything was seen on.</param>
    /// <param name="must">What it must include besides.</param>
    /// <param name="mark">
    /// The read's own mark (<see cref="NextMark"/>); zero: it has none, and what is under way stays pending for it.
    /// </param>
    public long? NeedsSample(ConsistencyDemands demands, ClusterSnapshot snapshot, bool mayStay, WalPosition? must, long mark = 0)
    {
        if (demands.HasFlag(ConsistencyDemands.Written) && _underWay == 0)
        {
            // What is in doubt is settled once the backend that may still commit is known to be gone, with its server's life or its
            // timeline.
            foreach (var write in _writes)
                if (!write.IsOpen(snapshot)) return _marks;
        }

        if (!demands.HasFlag(ConsistencyDemands.Seen) || _observations.Count == 0 || !HasObservationsAt(mark)) return null;
        if (mark == 0 && KeepsToPrimary) return null;
        if (!mayStay || OnlyObservation is not { OnPrimary: false } observation) return _marks;

        // A node that history went on past cannot serve, and the primary must not before it is known what became of what the node has
        // shown.
        var node = snapshot.Nodes[observation.Node.Index];
        var mayServe = node.Status == ConcludedStatus.Replica && observation.Node.MayBe(node.Index, node.Epoch)
            && (must is not { } position || Router.Leads(node, snapshot, position));
        return mayServe ? null : _marks;
    }

    /// <summary>
    /// Moves what was pending at the mark to the horizons, by a sample of the primary that was started after it. Gives what was lost, if
    /// history was broken in
    /// between: a sample of another timeline says nothing about a position on the one before.
    /// </summary>
    public LostWrite? Resolve(long mark, NodeState primary, ClusterSnapshot snapshot, Watermark written, Watermark seen)
    {
        var lost = Validate(primary, snapshot);
        foreach (var write in _writes)
        {
            if (write.Mark > mark || write.IsOpen(snapshot)) continue;
            if (write.IsInDoubt && write.Timeline != 0 && write.Timeline != primary.Timeline)
                lost = LostWrite.Worse(lost, LostWrite.OfUnknownPosition(write.Timeline, primary.Timeline));

            // The commit may not have waited for its flush, which only its own connection could tell: it is beyond the flush position then.
            written.Add(new LearnedPosition(new WalPosition(primary.Timeline, primary.InsertLsn), primary.PrimaryEpoch));
        }

        foreach (ref var observation in CollectionsMarshal.AsSpan(_observations))
        {
            if (observation.Mark > mark) continue;

            // Others' asynchronous commits are seen on the primary before they are flushed; replicas receive flushed WAL only.
            // So does a connection whose replica was promoted after it was opened.
            var bound = observation.OnPrimary || observation.Node.Index == primary.Index ? primary.InsertLsn : primary.Lsn;
            seen.Add(new LearnedPosition(new WalPosition(primary.Timeline, bound), primary.PrimaryEpoch));
            observation = observation with { BoundAt = mark };
        }

        _writes.RemoveAll(w => w.Mark <= mark && !w.IsOpen(snapshot));
        _observations.RemoveAll(s => s.Mark <= mark && s.UnderWay == 0);
        return lost;
    }

    /// <summary>
    /// What ended on a timeline, or in a life of the primary, that is over: no sample of this one tells where. That is told at once, and it
    /// is pending in the
    /// present from then on. What is in doubt was never acknowledged, and has its own end.
    /// </summary>
    public LostWrite? Validate(NodeState primary, ClusterSnapshot snapshot)
    {
        LostWrite? lost = null;
        foreach (ref var write in CollectionsMarshal.AsSpan(_writes))
        {
            if (write.IsInDoubt || !IsOver(write.Timeline, write.PrimaryEpoch, primary)) continue;
            lost = LostWrite.Worse(lost, write.Timeline == primary.Timeline
                ? LostWrite.OfCrash(wasWritten: true) : LostWrite.OfUnknownPosition(write.Timeline, primary.Timeline));
            write = write with { Timeline = primary.Timeline, PrimaryEpoch = primary.PrimaryEpoch };
        }

        foreach (ref var observation in CollectionsMarshal.AsSpan(_observations))
        {
            // It holds other data than the primary does, and nobody can tell which of them it has shown.
            if (observation is { OnPrimary: false, IsReportedDiverged: false } && snapshot.Nodes[observation.Node.Index].IsDiverged)
            {
                lost = LostWrite.Worse(lost, LostWrite.OfDivergedReplica(snapshot.Nodes[observation.Node.Index].Name));
                observation = observation with { IsReportedDiverged = true };
            }

            // A crash of the primary loses what was not flushed, which no replica has shown. Only a storage that is rolled back loses more.
            var mayBeLost = observation.OnPrimary || snapshot.Chain.IsRolledBackSince(observation.PrimaryEpoch);
            if (!IsOver(observation.Timeline, mayBeLost ? observation.PrimaryEpoch : LearnedPosition.Unknown, primary)) continue;
            if (observation.Timeline == primary.Timeline) lost = LostWrite.Worse(lost, LostWrite.OfCrash(wasWritten: false));
            else if (!observation.HasComeTo(primary.Timeline, snapshot))
                lost = LostWrite.Worse(lost, LostWrite.OfUnknownObservation(observation.Timeline, primary.Timeline));
            observation = observation with { Timeline = primary.Timeline, PrimaryEpoch = primary.PrimaryEpoch };
        }

        return lost;
    }

    /// <summary>
    /// The replicas, by node index, that have shown something on a timeline that is over, and may follow the present one by now: a probe
    /// tells. Empty: there is none.
    /// </summary>
    public int[] ReplicasToAsk(NodeState primary, ClusterSnapshot snapshot)
    {
        List<int>? replicas = null;
        foreach (var observation in _observations)
        {
            if (observation.OnPrimary || observation.Node.Index < 0 || observation.Timeline == 0
                || observation.Timeline >= primary.Timeline) continue;
            if (snapshot.Nodes[observation.Node.Index].Status == ConcludedStatus.Replica
                && !observation.HasComeTo(primary.Timeline, snapshot)) (replicas ??= []).Add(observation.Node.Index);
        }

        return replicas is null ? [] : [.. replicas];
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

    /// <summary>
    /// Server processes of the primary are gone: what they were to commit is committed or never will be, and a sample taken from now on has
    /// it.
    /// </summary>
    public void Settle(NodeState primary, int[] gone)
    {
        var settled = _writes.FindAll(w => w.IsInDoubtAt(primary) && gone.Contains(w.Backend));
        if (settled.Count == 0) return;
        _writes.RemoveAll(w => w.IsInDoubtAt(primary) && gone.Contains(w.Backend));
        foreach (var write in settled) Add(write with { IsInDoubt = false });
    }

    /// <summary>Number of entries, which stays small however much the session did.</summary>
    internal int Count => _writes.Count + _observations.Count;
    // What is under way there keeps the read on the primary whatever a sample resolves besides.
    private bool KeepsToPrimary
    {
        get
        {
            if (_shownWithWrites > 0) return true;
            foreach (var observation in _observations)
                if (observation is { OnPrimary: true, UnderWay: > 0 }) return true;
            return false;
        }
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

    private static bool IsOver(uint timeline, int primaryEpoch, NodeState primary) =>
        timeline != 0
            && (timeline < primary.Timeline
            || (timeline == primary.Timeline && primaryEpoch != LearnedPosition.Unknown && primaryEpoch != primary.PrimaryEpoch));
}
