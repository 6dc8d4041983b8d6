using System.Runtime.InteropServices;

namespace Tidemark;

/// <summary>
/// The writes and observations of a session whose WAL positions are not known yet. A sample of the primary that starts after them resolves
/// both. A write that is in doubt has to be settled first. Not thread-safe.
/// </summary>
internal sealed class PendingPositions
{
    private readonly List<PendingWrite> _writes = [];
    private readonly List<PendingObservation> _observations = [];
    private long _marks;
    private int _underWay;
    private int _shownWithWrites;

    /// <summary><see langword="true"/> if nothing is pending. Writes in progress do not count.</summary>
    public bool IsEmpty => _writes.Count == 0 && _observations.Count == 0;

    /// <summary><see langword="true"/> if the position of the session's writes is not known or is changing.</summary>
    public bool HasWrites => _writes.Count > 0 || _underWay > 0;

    public bool HasObservations => _observations.Count > 0 || _shownWithWrites > 0;

    /// <summary>
    /// Returns whether there are observations that no sample started after the mark has bounded. With a mark of zero, an observation counts
    /// until every connection that may return more is closed.
    /// </summary>
    public bool HasObservationsAt(long mark)
    {
        if (mark == 0 || _shownWithWrites > 0) return HasObservations;
        foreach (var observation in _observations)
            if (observation.BoundAt < mark) return true;
        return false;
    }

    /// <summary>
    /// Returns a mark for one read. Samples that start after the mark bound everything that was observed before the read began.
    /// </summary>
    public long NextMark() => ++_marks;

    /// <summary><see langword="true"/> if a connection broke during a commit, and the outcome is still unknown.</summary>
    public bool IsInDoubt => _writes.Exists(w => w.IsInDoubt);

    /// <summary>
    /// The observation, if all of them were made on one node; <see langword="null"/> if there are none or they were made on several nodes.
    /// </summary>
    public PendingObservation? OnlyObservation => _observations.Count == 1 && _shownWithWrites == 0 ? _observations[0] : null;

    public IEnumerable<uint> Timelines => _writes.Select(w => w.Timeline).Concat(_observations.Select(s => s.Timeline));

    /// <summary>The server processes of any primary that may still commit something. Zero represents an unknown process.</summary>
    public IEnumerable<int> BackendsInDoubt => _writes.Where(w => w.IsInDoubt).Select(w => w.Backend).Distinct();

    public void BeginWrite() => _underWay++;

    /// <summary>Called when a write in progress has ended at a known position, or did not happen.</summary>
    public void EndWrite() => _underWay--;

    /// <summary>
    /// Adds a write that has ended at an unknown position. The session may never read, so one entry represents all writes that the same
    /// samples resolve, with the latest mark.
    /// </summary>
    public void Add(PendingWrite write)
    {
        write = write.Simplified;
        var same = _writes.Count - 1;
        while (same >= 0 && !_writes[same].IsLike(write)) same--;
        if (same >= 0) _writes[same] = write with { Mark = ++_marks };
        else _writes.Add(write with { Mark = ++_marks });
    }

    /// <summary>
    /// Called when a connection for writing is opened. No sample bounds what the primary returns on it before it is closed.
    /// </summary>
    public void BeginShowingWithWrites() => _shownWithWrites++;

    /// <summary>Called when that connection is closed.</summary>
    public void EndShowingWithWrites() => _shownWithWrites--;

    /// <summary>Adds an observation.</summary>
    public void Add(PendingObservation observation)
    {
        observation = observation with { Mark = ++_marks };
        var same = _observations.Count - 1;
        while (same >= 0 && !_observations[same].IsLike(observation)) same--;

        // Keep the first connection, because it identifies the epoch of the earlier observations. A later one may lead to an epoch that no
        // probe has detected yet.
        if (same >= 0)
        {
            _observations[same] = observation with
            {
                Connection = _observations[same].Connection,
                UnderWay = observation.UnderWay + _observations[same].UnderWay,
            };
        }
        else AddFirst(observation);
    }

    // A session reads from one or two nodes. A list would allocate room for four entries.
    private void AddFirst(in PendingObservation observation)
    {
        if (_observations.Capacity == 0) _observations.Capacity = 2;
        _observations.Add(observation);
    }

    /// <summary>
    /// Called when a connection is closed on which a node was being observed (<see cref="PendingObservation.UnderWay"/>). The observation
    /// has then ended at an unknown position.
    /// </summary>
    public void EndObservation(NodeEpoch node, bool onPrimary)
    {
        foreach (ref var observation in CollectionsMarshal.AsSpan(_observations))
        {
            // If its timeline has ended in the meantime, that was reported, and the entry now has the current timeline.
            if (observation.UnderWay == 0 || observation.Node != node || observation.OnPrimary != onPrimary) continue;
            observation = observation with { Mark = ++_marks, UnderWay = observation.UnderWay - 1 };
            return;
        }
    }

    /// <summary>
    /// Returns the mark up to which a sample of the primary, taken after this call, would resolve what a read must include. Returns
    /// <see langword="null"/> if it would resolve nothing, or if the read can stay on its node without a sample.
    /// </summary>
    /// <param name="demands">The demands of the read.</param>
    /// <param name="snapshot">The current snapshot.</param>
    /// <param name="mayStay"><see langword="true"/> if the read may go to the node on which everything was observed.</param>
    /// <param name="must">The position that the read must include in addition.</param>
    /// <param name="mark">
    /// The read's own mark (<see cref="NextMark"/>), or zero if it has none. With zero, observations on open connections stay pending.
    /// </param>
    public long? NeedsSample(ConsistencyDemands demands, ClusterSnapshot snapshot, bool mayStay, WalPosition? must, long mark = 0)
    {
        if (demands.HasFlag(ConsistencyDemands.Written) && _underWay == 0)
        {
            // A write in doubt is settled once the server process that may commit it is known to have exited, together with its server's
            // epoch or its timeline.
            foreach (var write in _writes)
                if (!write.IsOpen(snapshot)) return _marks;
        }

        if (!demands.HasFlag(ConsistencyDemands.Observed) || _observations.Count == 0 || !HasObservationsAt(mark)) return null;
        if (mark == 0 && KeepsToPrimary) return null;
        if (!mayStay || OnlyObservation is not { OnPrimary: false } observation) return _marks;

        // A node that the cluster's history has passed cannot serve. The primary must not serve either before it is known what became of
        // the data that the node returned.
        var node = snapshot.Nodes[observation.Node.Index];
        var mayServe = node.Status == ConcludedStatus.Replica && observation.Node.MayBe(node.Index, node.Epoch)
            && (must is not { } position || Router.Leads(node, snapshot, position));
        return mayServe ? null : _marks;
    }

    /// <summary>
    /// Moves what was pending at the mark to the watermarks, from a sample of the primary that started after it. Returns what was lost if
    /// the history was broken in between: a sample of another timeline does not bound a position on the previous one.
    /// </summary>
    public LostWrite? Resolve(long mark, NodeState primary, ClusterSnapshot snapshot, Watermark written, Watermark seen)
    {
        var lost = Validate(primary, snapshot);
        foreach (var write in _writes)
        {
            if (write.Mark > mark || write.IsOpen(snapshot)) continue;
            if (write.IsInDoubt && write.Timeline != 0 && write.Timeline != primary.Timeline)
                lost = LostWrite.Worse(lost, LostWrite.OfUnknownPosition(write.Timeline, primary.Timeline));

            // The commit may not have waited for its flush, which only its own connection could report. Its position is then beyond the
            // flush position.
            written.Add(new KnownPosition(new WalPosition(primary.Timeline, primary.InsertLsn), primary.PrimaryEpoch));
        }

        foreach (ref var observation in CollectionsMarshal.AsSpan(_observations))
        {
            if (observation.Mark > mark) continue;

            // On the primary, the asynchronous commits of others are visible before they are flushed. Replicas receive only flushed WAL.
            // The same applies to a connection whose replica was promoted after it was opened.
            var bound = observation.OnPrimary || observation.Node.Index == primary.Index ? primary.InsertLsn : primary.Lsn;
            seen.Add(new KnownPosition(new WalPosition(primary.Timeline, bound), primary.PrimaryEpoch));
            observation = observation with { BoundAt = mark };
        }

        _writes.RemoveAll(w => w.Mark <= mark && !w.IsOpen(snapshot));
        _observations.RemoveAll(s => s.Mark <= mark && s.UnderWay == 0);
        return lost;
    }

    /// <summary>
    /// Handles what ended on a timeline, or in an epoch of the primary, that is over: no sample of the current one reveals its position.
    /// Such a loss is reported at once, and the entry is pending on the current timeline from then on. A write in doubt was never
    /// acknowledged, and is settled separately.
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
            // The replica's data differs from the primary's, and it is not known which of it the session has read.
            if (observation is { OnPrimary: false, IsReportedDiverged: false } && snapshot.Nodes[observation.Node.Index].IsDiverged)
            {
                lost = LostWrite.Worse(lost, LostWrite.OfDivergedReplica(snapshot.Nodes[observation.Node.Index].Name));
                observation = observation with { IsReportedDiverged = true };
            }

            // A crash of the primary loses WAL that was not flushed, which no replica has returned. Only storage that is rolled back loses
            // more.
            var mayBeLost = observation.OnPrimary || snapshot.Chain.IsRolledBackSince(observation.PrimaryEpoch);
            if (!IsOver(observation.Timeline, mayBeLost ? observation.PrimaryEpoch : KnownPosition.Unknown, primary)) continue;
            if (observation.Timeline == primary.Timeline) lost = LostWrite.Worse(lost, LostWrite.OfCrash(wasWritten: false));
            else if (!observation.HasComeTo(primary.Timeline, snapshot))
                lost = LostWrite.Worse(lost, LostWrite.OfUnknownObservation(observation.Timeline, primary.Timeline));
            observation = observation with { Timeline = primary.Timeline, PrimaryEpoch = primary.PrimaryEpoch };
        }

        return lost;
    }

    /// <summary>
    /// Returns the indexes of the replicas that were observed on a timeline that is over, and that may follow the current one by now. A
    /// probe can determine that. Empty if there are none.
    /// </summary>
    public int[] ReplicasToProbe(NodeState primary, ClusterSnapshot snapshot)
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

    /// <summary>Returns the server processes of the primary that may still commit something; empty if none are known.</summary>
    public int[] BackendsInDoubtAt(NodeState primary)
    {
        // Called before every read, so nothing is allocated if nothing is in doubt.
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
    /// Called when server processes of the primary have exited. Their transactions are now committed or never will be, and a sample taken
    /// from now on includes them.
    /// </summary>
    public void Settle(NodeState primary, int[] gone)
    {
        var settled = _writes.FindAll(w => w.IsInDoubtAt(primary) && gone.Contains(w.Backend));
        if (settled.Count == 0) return;
        _writes.RemoveAll(w => w.IsInDoubtAt(primary) && gone.Contains(w.Backend));
        foreach (var write in settled) Add(write with { IsInDoubt = false });
    }

    /// <summary>The number of entries. It stays small no matter how much the session does.</summary>
    internal int Count => _writes.Count + _observations.Count;

    // Open connections to the primary keep the read there, no matter what else a sample resolves.
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

    /// <summary>
    /// Returns the transactions of the primary that were open when their connections were abandoned, and that may still be committed; empty
    /// if there are none.
    /// </summary>
    public string[] OpenTransactionsAt(NodeState primary)
    {
        List<string>? open = null;
        foreach (var write in _writes)
            if (write.OpenTransaction is { } transaction && write.IsInDoubtAt(primary)) (open ??= []).Add(transaction);
        return open is null ? [] : [.. open];
    }

    /// <summary>Called when transactions of the primary have ended. A sample taken from now on includes what they committed.</summary>
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
            || (timeline == primary.Timeline && primaryEpoch != KnownPosition.Unknown && primaryEpoch != primary.PrimaryEpoch));
}
