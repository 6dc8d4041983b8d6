using System.Runtime.InteropServices;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// One user's unit of work (a request, a job) in which reads must not miss what came before them. Safe for concurrent use; one session may
/// span several connections and contexts. <see cref="Dispose"/> ends it.
/// </summary>
/// <remarks>
/// It keeps two horizons: what it wrote, and what its reads may have shown, on whichever node. Each is a place in history, or pending (the end of
/// something whose position was not seen: one sample of the primary resolves it), or in doubt (a connection broke during a commit).
/// </remarks>
public sealed class ConsistencySession : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Action? _onDispose;
    private readonly List<Stamp> _written = [];
    private readonly List<Stamp> _seen = [];
    private readonly List<PendingWrite> _pendingWrites = [];
    private readonly List<PendingSight> _pendingSights = [];
    private static readonly AsyncLocal<ConsistencySession?> Unmoved = new();

    private readonly ClusterMonitor? _monitor;
    private long _marks;
    private int _writesUnderWay;
    private LostWrite? _lost;
    private bool _isEnded;
    private bool _hasMoved;

    internal ConsistencySession(ClusterMonitor? monitor = null, Action? onDispose = null) => (_monitor, _onDispose) = (monitor, onDispose);

    /// <summary>The place the session's writes are known to reach; <see langword="null"/> when it has written nothing or that is not known.</summary>
    public Place? Written
    {
        get
        {
            lock (_lock) return _pendingWrites.Count > 0 || _writesUnderWay > 0 ? null : Latest(_written);
        }
    }

    /// <summary>The place up to which the session's reads may have shown history; <see langword="null"/> when they showed nothing or that is not known.</summary>
    public Place? Seen
    {
        get
        {
            lock (_lock) return _pendingSights.Count > 0 ? null : Latest(_seen);
        }
    }

    /// <summary>The hash of the key that keeps the session's reads on one node where that can serve; <see langword="null"/>: it has none.</summary>
    internal ulong? Affinity { get; init; }

    /// <summary>It wrote something, and how far that reaches is not known.</summary>
    internal bool IsUnknown
    {
        get
        {
            lock (_lock) return _pendingWrites.Count > 0 || _writesUnderWay > 0;
        }
    }

    /// <summary>Something of what is asked for is pending or in doubt: a token without it would say less than the session did.</summary>
    internal bool IsUnknownOf(ConsistencyDemands what)
    {
        lock (_lock) return _pendingWrites.Count > 0 || _writesUnderWay > 0 || (what.HasFlag(ConsistencyDemands.Seen) && _pendingSights.Count > 0);
    }

    /// <summary>
    /// What is known of what is not: the earliest timeline that anything of the session is on, and the server process that may still commit something.
    /// </summary>
    internal UnknownPlace Unknown
    {
        get
        {
            lock (_lock)
            {
                var timeline = _written.Concat(_seen).Select(s => s.Place.Timeline)
                    .Concat(_pendingWrites.Select(w => w.Timeline)).Concat(_pendingSights.Select(s => s.Timeline))
                    .Where(t => t != 0).DefaultIfEmpty().Min();
                var backends = _pendingWrites.Where(w => w.IsInDoubt).Select(w => w.Backend).Distinct().ToArray();
                return UnknownPlace.Of(timeline, backends);
            }
        }
    }

    /// <summary>A connection of the session broke during a commit, and it is not settled whether that happened.</summary>
    internal bool IsInDoubt
    {
        get
        {
            lock (_lock) return _pendingWrites.Exists(w => w.IsInDoubt);
        }
    }

    /// <summary>
    /// What the session wrote is no longer what it was begun with: it wrote something since, or something was lost. Its token must be replaced.
    /// </summary>
    internal bool HasMoved
    {
        get
        {
            lock (_lock) return _hasMoved;
        }
    }

    /// <summary>Notes a write that went past Tidemark, such as one by another library: the next read includes it.</summary>
    /// <exception cref="ObjectDisposedException">The session has ended.</exception>
    public void MarkWritten()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isEnded, this);
            AddUnknownWrite();
            _hasMoved = true;
        }
    }

    /// <summary>
    /// Until the returned scope is disposed of, writes do not move the session: for what its reads need not include, such as a last-seen time or
    /// an audit record.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The session has ended.</exception>
    /// <remarks>It flows with <see langword="await"/> and concerns nobody else who uses the session at the same time.</remarks>
    public IDisposable IgnoreWrites()
    {
        ObjectDisposedException.ThrowIf(_isEnded, this);
        var outer = Unmoved.Value;
        Unmoved.Value = this;
        return new Ignoring(outer);
    }

    /// <summary>Ends the session. Connections it opened stay usable; what is done on them belongs to no session then.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_isEnded) return;
            _isEnded = true;
        }

        _onDispose?.Invoke();
    }

    /// <summary>What a read must include. Derived from values alone; asked anew for each attempt.</summary>
    /// <param name="demands">What the level asks for.</param>
    /// <param name="mayStay">A node whose reads are pending may serve again without a number; false when it is known that it cannot.</param>
    internal ReadRequirement Require(ConsistencyDemands demands, bool mayStay = true)
    {
        if (demands.HasFlag(ConsistencyDemands.Primary)) return ReadRequirement.Primary(RouteReason.StrongConsistency);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isEnded, this);
            Place? must = null;
            if (demands.HasFlag(ConsistencyDemands.Written))
            {
                if (_pendingWrites.Count > 0 || _writesUnderWay > 0) return ReadRequirement.Primary(RouteReason.WrittenPositionUnknown);
                must = Latest(_written);
            }

            if (!demands.HasFlag(ConsistencyDemands.Seen)) return new ReadRequirement { MustInclude = must };
            must = Later(must, Latest(_seen));
            if (_pendingSights.Count == 0) return new ReadRequirement { MustInclude = must };
            return mayStay && OnlySight() is { OnPrimary: false } sight
                ? new ReadRequirement { MustInclude = must, StayOn = sight.Node, StayConnection = sight.Connection }
                : ReadRequirement.Primary(RouteReason.SeenPositionUnknown);
        }
    }

    /// <summary>
    /// What a sample of the primary, taken after this call, would resolve of what the read must include. Null: nothing, or the read can stay where
    /// it is without.
    /// </summary>
    internal long? NeedsSample(ConsistencyDemands demands, ClusterSnapshot snapshot, bool mayStay)
    {
        lock (_lock)
        {
            if (demands.HasFlag(ConsistencyDemands.Written) && _writesUnderWay == 0)
            {
                // What is in doubt is settled once the backend that may still commit is known to be gone, with its server's life or its timeline.
                foreach (var write in _pendingWrites)
                    if (!write.IsInDoubt || IsOver(write, snapshot)) return _marks;
            }

            if (!demands.HasFlag(ConsistencyDemands.Seen) || _pendingSights.Count == 0) return null;
            if (!mayStay || OnlySight() is not { OnPrimary: false } sight) return _marks;
            var node = snapshot.Nodes[sight.Node.Index];
            return node.Standing == NodeStanding.Replica && node.Epoch == sight.Node.Epoch ? null : _marks;
        }
    }

    /// <summary>
    /// Resolves what was pending at the mark, by a sample of the primary that was started after it. Gives what was lost, if history was broken in
    /// between: a sample of another timeline says nothing about a position on the one before.
    /// </summary>
    internal LostWrite? Resolve(long mark, NodeState primary, ClusterSnapshot snapshot)
    {
        LostWrite? lost = null;
        lock (_lock)
        {
            foreach (var write in CollectionsMarshal.AsSpan(_pendingWrites))
            {
                if (write.Mark > mark || (write.IsInDoubt && !IsOver(write, snapshot))) continue;
                if (write.Timeline != 0 && write.Timeline != primary.Timeline)
                    lost = LostWrite.OfUnknownPlace(write.Timeline, primary.Timeline);
                else if (write.Incarnation != Stamp.Unknown && write.Incarnation != primary.Incarnation && !write.IsInDoubt)
                    lost ??= LostWrite.OfCrash(wasWritten: true);

                // The commit may not have waited for its flush, which only its own connection could tell: it is beyond the flush position then.
                Add(_written, new Stamp(new Place(primary.Timeline, primary.InsertPosition), primary.Incarnation));
            }

            _pendingWrites.RemoveAll(w => w.Mark <= mark && (!w.IsInDoubt || IsOver(w, snapshot)));
            foreach (var sight in _pendingSights)
            {
                if (sight.Mark > mark) continue;

                // Others' asynchronous commits are seen on the primary before they are flushed; replicas receive flushed WAL only.
                var bound = sight.OnPrimary ? primary.InsertPosition : primary.Position;
                Add(_seen, new Stamp(new Place(primary.Timeline, bound), primary.Incarnation));
                if (sight.Timeline != 0 && sight.Timeline != primary.Timeline) lost ??= LostWrite.OfUnknownSight(sight.Timeline, primary.Timeline);
                else if (sight.OnPrimary && sight.Incarnation != Stamp.Unknown && sight.Incarnation != primary.Incarnation) lost ??= LostWrite.OfCrash(wasWritten: false);
            }

            _pendingSights.RemoveAll(s => s.Mark <= mark);
        }

        return lost;
    }

    /// <summary>
    /// Compares the session's places with the history that the cluster went on with. A place that is not part of it, or may not be, gives way to the
    /// present of the primary, which has whatever survived. Gives the worst of what was lost.
    /// </summary>
    internal LostWrite? Validate(ClusterSnapshot snapshot)
    {
        lock (_lock)
        {
            var noted = _lost;
            _lost = null;
            if (snapshot.Primary is not { } primary) return noted;
            var lost = Later(Validate(_written, primary, snapshot, wasWritten: true), Validate(_seen, primary, snapshot, wasWritten: false));
            lost = Later(lost, ValidatePending(primary, snapshot));
            _hasMoved |= lost is { WasWritten: true };
            return Later(noted, lost);
        }
    }

    /// <summary>It wrote or saw something that a crash of the primary may have lost.</summary>
    internal bool IsSomewhere
    {
        get
        {
            lock (_lock) return _written.Count > 0 || _seen.Count > 0 || _pendingWrites.Count > 0 || _pendingSights.Count > 0;
        }
    }

    /// <summary>A place from another process lies beyond what the primary is known to have: only a sample taken after it came can tell whether it exists.</summary>
    internal bool NeedsVerification(NodeState primary)
    {
        lock (_lock) return IsBeyond(_written, primary) || IsBeyond(_seen, primary);
    }

    /// <summary>A place from another process is on a timeline that this one has not seen yet: there was a promotion that it must learn of first.</summary>
    internal bool IsAheadOf(ClusterSnapshot snapshot)
    {
        lock (_lock) return IsAhead(_written, snapshot.LatestTimeline) || IsAhead(_seen, snapshot.LatestTimeline);
    }

    /// <summary>Something of what the session is to go on after was lost; told by the next read.</summary>
    internal void NoteLoss(LostWrite lost)
    {
        lock (_lock)
        {
            _lost = Later(_lost, lost);
            _hasMoved |= lost.WasWritten;
        }
    }

    /// <summary>
    /// Compares places from another process with a sample of the primary taken after they came. One beyond it is forged, or of a write lost in a crash:
    /// it gives way to the present.
    /// </summary>
    internal LostWrite? Verify(NodeState primary)
    {
        lock (_lock)
        {
            var lost = default(LostWrite);
            foreach (var stamps in (List<Stamp>[])[_written, _seen])
            {
                for (var i = stamps.Count - 1; i >= 0; i--)
                {
                    var stamp = stamps[i];
                    if (!IsBeyond(stamp, primary)) continue;
                    lost ??= LostWrite.Of(stamp.Place, isCertain: false, wasWritten: stamps == _written, stamp.Place.Timeline == primary.Timeline
                        ? $"the primary has only come to {primary.InsertPosition}, so the position is forged or its write was lost in a crash"
                        : $"the primary is on timeline {primary.Timeline}, so the position is forged or of a primary that is not there");
                    stamps.RemoveAt(i);
                    Add(stamps, new Stamp(new Place(primary.Timeline, stamps == _written ? primary.Position : primary.InsertPosition), primary.Incarnation));
                }
            }

            _hasMoved |= lost is { WasWritten: true };
            return lost;
        }
    }

    /// <summary>The session goes on where another left off: at places, or somewhere unknown (pending).</summary>
    /// <param name="written">Where its writes reach.</param>
    /// <param name="seen">What its reads have shown.</param>
    /// <param name="isUnknown">Something of it is not known.</param>
    /// <param name="isInDoubt">A connection of it broke during a commit.</param>
    /// <param name="unknown">What is known of what is not.</param>
    internal void Resume(Place? written, Place? seen = null, bool isUnknown = false, bool isInDoubt = false, UnknownPlace unknown = default)
    {
        lock (_lock)
        {
            if (isUnknown)
            {
                AddUnknownWrite(unknown, isInDoubt: false);
                if (isInDoubt && unknown.Backend == 0) AddUnknownWrite(unknown, isInDoubt);
                foreach (var backend in unknown.Backends) AddUnknownWrite(unknown, isInDoubt, backend);
                var timeline = unknown.Timeline != 0 ? unknown.Timeline : _monitor?.Snapshot.LatestTimeline ?? 0;
                _pendingSights.Add(new PendingSight(++_marks, new NodeEpoch(-1, 0), timeline, Stamp.Unknown, OnPrimary: true, Connection: null));
            }

            var life = _monitor?.Snapshot.Chain.Incarnation ?? 0;
            if (written is { } w) Add(_written, new Stamp(w, Stamp.Unknown, life));
            if (seen is { } s) Add(_seen, new Stamp(s, Stamp.Unknown, life));
        }
    }

    /// <summary>Something that may write is about to be sent to the primary. Until <see cref="EndWrite"/> reads keep to it. False: the session does not follow it.</summary>
    internal bool BeginWrite()
    {
        lock (_lock)
        {
            if (_isEnded || Unmoved.Value == this) return false;
            _writesUnderWay++;
            _hasMoved = true;
            return true;
        }
    }

    /// <summary>The write has ended: at a known place, or somewhere (pending), or nobody knows whether it happened (in doubt).</summary>
    /// <param name="node">Where it was sent.</param>
    /// <param name="at">Its place, if that is known.</param>
    /// <param name="isInDoubt">The connection broke before it was acknowledged.</param>
    /// <param name="backend">The server process that may still commit it; zero: unknown.</param>
    internal void EndWrite(NodeState node, Stamp? at, bool isInDoubt = false, int backend = 0)
    {
        lock (_lock)
        {
            _writesUnderWay--;
            if (at is { } stamp && !isInDoubt) Add(_written, stamp);
            else _pendingWrites.Add(new PendingWrite(++_marks, node.Timeline, node.Incarnation, node.Index, isInDoubt, node.StartedAt, backend));
        }
    }

    /// <summary>The server processes of the primary that may still commit something of the session's; empty: none is known.</summary>
    internal int[] BackendsInDoubt(NodeState primary)
    {
        lock (_lock)
        {
            if (!_pendingWrites.Exists(w => w.IsInDoubt && w.Backend != 0)) return [];
            return [.. _pendingWrites.Where(w => w.Backend != 0 && IsInDoubtAt(w, primary)).Select(w => w.Backend).Distinct()];
        }
    }

    /// <summary>Server processes of the primary are gone: what they were to commit is committed or never will be, and a sample taken from now on has it.</summary>
    internal void Settle(NodeState primary, int[] gone)
    {
        lock (_lock)
        {
            foreach (ref var write in CollectionsMarshal.AsSpan(_pendingWrites))
            {
                if (IsInDoubtAt(write, primary) && gone.Contains(write.Backend)) write = write with { IsInDoubt = false, Mark = ++_marks };
            }
        }
    }

    /// <summary>The write is known not to have happened, such as a transaction that was rolled back.</summary>
    internal void AbandonWrite()
    {
        lock (_lock) _writesUnderWay--;
    }

    /// <summary>
    /// A node has answered something: with rows, a count or an error, each of which tells of what it has. Known on the primary when the answer
    /// brought its insert position along; pending otherwise.
    /// </summary>
    internal void Saw(NodeState node, bool onPrimary, Stamp? at = null, object? connection = null)
    {
        lock (_lock)
        {
            if (_isEnded) return;
            if (at is { } stamp)
            {
                Add(_seen, stamp);
                return;
            }

            // One that receives nothing shows no timeline: it may have been left behind on any.
            var timeline = node.Timeline == 0 && node.SeesTimeline ? 1 : node.Timeline;
            var sight = new PendingSight(++_marks, new NodeEpoch(node.Index, node.Epoch), timeline, node.Incarnation, onPrimary, connection);
            var same = _pendingSights.FindIndex(s => s.Node == sight.Node && s.OnPrimary == onPrimary && s.Timeline == sight.Timeline && s.Incarnation == sight.Incarnation);

            // The first connection vouches for what came before: a later one may lead to a life of the server that no probe has noticed yet.
            if (same >= 0) _pendingSights[same] = sight with { Connection = _pendingSights[same].Connection };
            else _pendingSights.Add(sight);
        }
    }

    // A node that had not answered yet when it was written to tells nothing of the life that the write was in.
    private static bool IsOver(PendingWrite write, ClusterSnapshot snapshot) =>
        (write.Timeline != 0 && snapshot.LatestTimeline != write.Timeline)
        || (write.StartedAt != default && snapshot.Nodes[write.Node] is { Standing: NodeStanding.Primary } node && node.StartedAt != write.StartedAt);

    private static bool IsBeyond(List<Stamp> stamps, NodeState primary)
    {
        foreach (var stamp in stamps)
            if (IsBeyond(stamp, primary)) return true;
        return false;
    }

    private static bool IsBeyond(Stamp stamp, NodeState primary) =>
        stamp.Incarnation == Stamp.Unknown
        && (stamp.Place.Timeline > primary.Timeline || (stamp.Place.Timeline == primary.Timeline && stamp.Place.Position > primary.InsertPosition));

    private static bool IsAhead(List<Stamp> stamps, uint timeline)
    {
        foreach (var stamp in stamps)
            if (stamp.Incarnation == Stamp.Unknown && stamp.Place.Timeline > timeline) return true;
        return false;
    }

    private static Place? Latest(List<Stamp> stamps)
    {
        Place? latest = null;
        foreach (var stamp in stamps) latest = Later(latest, stamp.Place);
        return latest;
    }

    private static Place? Later(Place? one, Place? other) => one is not { } a ? other : other is not { } b ? one : Place.Later(a, b);

    private static LostWrite? Later(LostWrite? one, LostWrite? other) => one is null || (other is { IsCertain: true } && !one.IsCertain) ? other ?? one : one;

    /// <summary>One stamp for each life of history, the latest in it: places of different lives are compared only through the chain.</summary>
    private static void Add(List<Stamp> stamps, Stamp added)
    {
        for (var i = 0; i < stamps.Count; i++)
        {
            if (stamps[i].Incarnation != added.Incarnation || stamps[i].CameIn != added.CameIn || stamps[i].Place.Timeline != added.Place.Timeline) continue;
            stamps[i] = added with { Place = Place.Later(stamps[i].Place, added.Place) };
            return;
        }

        stamps.Add(added);
    }

    private static LostWrite? Validate(List<Stamp> stamps, NodeState primary, ClusterSnapshot snapshot, bool wasWritten)
    {
        LostWrite? lost = null;
        for (var i = stamps.Count - 1; i >= 0; i--)
        {
            var stamp = stamps[i];
            if (stamp.Place.Timeline == primary.Timeline && stamp.Incarnation == primary.Incarnation) continue;

            // The snapshot is older than the place: another flow of the session, or another process, has learned of a promotion before it.
            if (stamp.Place.Timeline > primary.Timeline) continue;
            var fate = snapshot.Chain.Judge(stamp, primary.Timeline);
            if (fate == PlaceFate.Holds) continue;

            // What was seen is known by a bound, which may lie beyond a fork though nothing that was shown does.
            lost = Later(lost, LostWrite.Of(stamp.Place, isCertain: fate == PlaceFate.Lost && wasWritten, wasWritten, snapshot.Chain.DescribeEnd(stamp.Place)));
            stamps.RemoveAt(i);
            Add(stamps, new Stamp(new Place(primary.Timeline, wasWritten ? primary.Position : primary.InsertPosition), primary.Incarnation));
        }

        return lost;
    }

    /// <summary>
    /// What is pending ended on a timeline, or in a life of the primary, that is over: no sample of this one tells where. That is told at once, and it is
    /// pending in the present from then on. What is in doubt was never acknowledged, and has its own end.
    /// </summary>
    private LostWrite? ValidatePending(NodeState primary, ClusterSnapshot snapshot)
    {
        LostWrite? lost = null;
        foreach (ref var write in CollectionsMarshal.AsSpan(_pendingWrites))
        {
            if (write.IsInDoubt || !IsOver(write.Timeline, write.Incarnation, primary)) continue;
            lost = Later(lost, write.Timeline == primary.Timeline ? LostWrite.OfCrash(wasWritten: true) : LostWrite.OfUnknownPlace(write.Timeline, primary.Timeline));
            write = write with { Timeline = primary.Timeline, Incarnation = primary.Incarnation, StartedAt = primary.StartedAt };
        }

        foreach (ref var sight in CollectionsMarshal.AsSpan(_pendingSights))
        {
            // A crash of the primary loses what was not flushed, which no replica has shown.
            if (!IsOver(sight.Timeline, sight.OnPrimary ? sight.Incarnation : Stamp.Unknown, primary)) continue;
            if (sight.Timeline == primary.Timeline) lost = Later(lost, LostWrite.OfCrash(wasWritten: false));
            else if (!HasCome(snapshot, sight.Node, primary.Timeline)) lost = Later(lost, LostWrite.OfUnknownSight(sight.Timeline, primary.Timeline));
            sight = sight with { Timeline = primary.Timeline, Incarnation = primary.Incarnation };
        }

        return lost;
    }

    /// <summary>In the life in which it showed something the node has come to the timeline itself: no server does that without what it had.</summary>
    private static bool HasCome(ClusterSnapshot snapshot, NodeEpoch node, uint timeline) =>
        node.Index >= 0 && snapshot.Nodes[node.Index] is var now && now.Epoch == node.Epoch && now.Timeline == timeline && now.Failure is null;

    // What came with a token was in doubt at the primary of its timeline, whatever its node is called here.
    private static bool IsInDoubtAt(PendingWrite write, NodeState primary) =>
        write.IsInDoubt && (write.Node == primary.Index || (write.Node < 0 && write.Timeline == primary.Timeline));

    private static bool IsOver(uint timeline, int incarnation, NodeState primary) =>
        timeline != 0 && (timeline < primary.Timeline || (timeline == primary.Timeline && incarnation != Stamp.Unknown && incarnation != primary.Incarnation));

    private PendingSight? OnlySight() => _pendingSights.Count == 1 ? _pendingSights[0] : null;

    private void AddUnknownWrite(UnknownPlace at = default, bool isInDoubt = false, int backend = 0)
    {
        var snapshot = _monitor?.Snapshot;
        _pendingWrites.Add(new PendingWrite(
            ++_marks, at.Timeline != 0 ? at.Timeline : snapshot?.LatestTimeline ?? 0, snapshot?.Chain.Incarnation ?? Stamp.Unknown,
            Node: -1, isInDoubt, StartedAt: default, backend));
    }

    private sealed class Ignoring(ConsistencySession? outer) : IDisposable
    {
        public void Dispose() => Unmoved.Value = outer;
    }

    /// <summary>A write that has ended somewhere on the timeline (0: on whichever is current).</summary>
    private readonly record struct PendingWrite(long Mark, uint Timeline, int Incarnation, int Node, bool IsInDoubt, DateTimeOffset StartedAt, int Backend);

    /// <summary>An answer of a node whose position is not known.</summary>
    private readonly record struct PendingSight(long Mark, NodeEpoch Node, uint Timeline, int Incarnation, bool OnPrimary, object? Connection);
}

/// <summary>A node in one of its lives.</summary>
internal readonly record struct NodeEpoch(int Index, long Epoch);
