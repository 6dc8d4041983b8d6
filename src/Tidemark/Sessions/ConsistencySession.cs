namespace Tidemark;

/// <summary>
/// One user's unit of work (a request, a job) in which reads must not miss what came before them. Safe for concurrent use; one session may
/// span several connections and contexts. <see cref="Dispose"/> ends it.
/// </summary>
/// <remarks>
/// It keeps two horizons: what it wrote, and what its reads may have shown, on whichever node. Each is a place in history, or pending (the
/// end of
/// something whose position was not seen: one sample of the primary resolves it), or in doubt (a connection broke during a commit).
/// </remarks>
public sealed class ConsistencySession : IDisposable
{
    private static readonly AsyncLocal<Ignoring?> Unmoved = new();

    private readonly Lock _lock = new();
    private readonly Action? _onDispose;
    private readonly ClusterMonitor? _monitor;
    private readonly Watermark _written = new(isWritten: true);
    private readonly Watermark _seen = new(isWritten: false);
    private readonly PendingPositions _pending = new();
    private LostWrite? _lost;
    private bool _isEnded;
    private bool _hasMoved;
    private bool _hasWritten;
    private bool _hasIgnored;
    private bool _hasIncluded;

    internal ConsistencySession(ClusterMonitor? monitor = null, Action? onDispose = null) => (_monitor, _onDispose) = (monitor, onDispose);

    /// <summary>
    /// The place the session's writes are known to reach; <see langword="null"/> when it has written nothing or that is not known.
    /// </summary>
    public WalPosition? Written
    {
        get
        {
            lock (_lock) return _pending.HasWrites ? null : _written.Latest;
        }
    }

    /// <summary>
    /// The place up to which the session's reads may have shown history; <see langword="null"/> when they showed nothing or that is not
    /// known.
    /// </summary>
    public WalPosition? Seen
    {
        get
        {
            lock (_lock) return _pending.HasObservations ? null : _seen.Latest;
        }
    }

    /// <summary>
    /// The hash of the key that keeps the session's reads on one node where that can serve; <see langword="null"/>: it has none.
    /// </summary>
    internal ulong? Affinity { get; init; }

    /// <summary>
    /// Judges tokens that are included later; <see langword="null"/>: the session belongs to a context, and nobody includes any.
    /// </summary>
    internal Action<ConsistencySession, CausalToken>? ContinueAfter { private get; init; }

    /// <summary>
    /// It has to go on after more than it was begun with: what it wrote itself, what it lost, or a token that it included. Its token must
    /// be replaced.
    /// </summary>
    internal bool NeedsNewToken
    {
        get
        {
            lock (_lock) return _hasMoved || _hasIncluded;
        }
    }

    /// <summary>It wrote something, and how far that reaches is not known.</summary>
    internal bool IsUnknown
    {
        get
        {
            lock (_lock) return _pending.HasWrites;
        }
    }

    /// <summary>
    /// What a token says of the session, as of one moment: a write that begins while a token is made is either not in it at all, or makes
    /// it unknown.
    /// </summary>
    /// <param name="what">What the token is to carry.</param>
    /// <param name="chain">The cluster's history; <see langword="null"/>: nothing is known of it.</param>
    internal CapturedWatermarks Capture(ConsistencyDemands what, TimelineChain? chain = null)
    {
        lock (_lock)
        {
            var withSeen = what.HasFlag(ConsistencyDemands.Seen);
            UnknownPosition? unknown = null;

            // A token has one place for each. Where the latest may not contain the others, what history went on without is reported to
            // whoever continues it.
            var (hasWrites, hasObservations) =
                (_pending.HasWrites || !IsSettled(_written, chain), _pending.HasObservations || !IsSettled(_seen, chain));
            if (hasWrites || (withSeen && hasObservations))
            {
                // The earliest timeline that anything of the session is on, and the server processes that may still commit something.
                var timeline = _written.Timelines.Concat(_seen.Timelines).Concat(_pending.Timelines).Where(t => t != 0).DefaultIfEmpty()
                    .Min();
                unknown = UnknownPosition.Of(timeline, [.. _pending.BackendsInDoubt]);
            }

            return new CapturedWatermarks(
                hasWrites ? null : _written.Latest, withSeen && !hasObservations ? _seen.Latest : null, unknown, _pending.IsInDoubt);
        }
    }

    /// <summary>
    /// The place of the session's writes, if it is known to include every write that the caller made; <see langword="null"/>: the session
    /// wrote nothing itself,
    /// something of it is pending, or some of its writes are not counted (<see cref="IgnoreWrites"/>, or made after its end).
    /// </summary>
    internal WalPosition? PositionOfAllWrites
    {
        get
        {
            lock (_lock)
            {
                var isKnown = _hasWritten && !_hasIgnored && !_isEnded && !_pending.HasWrites
                    && IsSettled(_written, _monitor?.Snapshot.Chain);
                return isKnown ? _written.Latest : null;
            }
        }
    }

    /// <summary>A connection of the session broke during a commit, and it is not settled whether that happened.</summary>
    internal bool IsInDoubt
    {
        get
        {
            lock (_lock) return _pending.IsInDoubt;
        }
    }

    /// <summary>
    /// What the session wrote is no longer what it was begun with: it wrote something since, or something was lost. Its token must be
    /// replaced.
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
            ThrowIfEnded();
            AddUnknownWrite();
            _hasMoved = _hasWritten = true;
        }
    }

    /// <summary>
    /// The session's reads include from now on what another session wrote and had seen, in this process or another. Takes a token as
    /// <see cref="TidemarkDataSource.BeginSession(CausalToken?, string?)"/> does: one that is not accepted counts as unknown.
    /// </summary>
    /// <exception cref="ArgumentException">The token is of another cluster; the session is unchanged.</exception>
    /// <exception cref="ObjectDisposedException">The session has ended.</exception>
    public void Include(CausalToken token)
    {
        ArgumentNullException.ThrowIfNull(token);
        lock (_lock) ThrowIfEnded();
        var continueAfter = ContinueAfter ?? throw new InvalidOperationException("The session belongs to no data source.");
        continueAfter(this, token);
        lock (_lock) _hasIncluded = true;
    }

    /// <summary>
    /// Until the returned scope is disposed of, writes do not move the session: for what its reads need not include, such as a last-seen
    /// time or
    /// an audit record.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The session has ended.</exception>
    /// <remarks>It flows with <see langword="await"/> and concerns nobody else who uses the session at the same time.</remarks>
    public IDisposable IgnoreWrites()
    {
        lock (_lock)
        {
            ThrowIfEnded();
            _hasIgnored = true;
        }

        var outer = Unmoved.Value;
        return Unmoved.Value = new Ignoring(this, outer);
    }

    /// <summary>
    /// Ends the session. Connections it opened stay usable; what is done on them belongs to no session then. Whatever goes on in its flow
    /// begins a session of its
    /// own: a routed read that is still of this one throws an <see cref="ObjectDisposedException"/>, unless it asks for
    /// <see cref="Consistency.Strong"/>.
    /// </summary>
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
    /// <param name="mayStay">
    /// A node whose reads are pending may serve again without a number; false when it is known that it cannot.
    /// </param>
    /// <param name="mark">The read's own mark (<see cref="NextMark"/>); zero: it has none.</param>
    /// <param name="chain">The cluster's history; <see langword="null"/>: nothing is known of it.</param>
    internal ReadRequirement Require(ConsistencyDemands demands, bool mayStay = true, long mark = 0, TimelineChain? chain = null)
    {
        if (demands.HasFlag(ConsistencyDemands.Primary)) return ReadRequirement.Primary(RouteReason.StrongConsistency);
        lock (_lock)
        {
            ThrowIfEnded();
            WalPosition? must = null;
            if (demands.HasFlag(ConsistencyDemands.Written))
            {
                // Places of two timelines while no primary answers: a node with the latest may be of a history that went on without the
                // others.
                if (_pending.HasWrites || !IsSettled(_written, chain)) return ReadRequirement.Primary(RouteReason.WrittenPositionUnknown);
                must = _written.Latest;
            }

            if (!demands.HasFlag(ConsistencyDemands.Seen)) return new ReadRequirement { MustInclude = must };
            must = WalPosition.Later(must, _seen.Latest);
            if (must is { } latest && !(_seen.IsContainedIn(latest.Timeline, chain ?? TimelineChain.Empty)
                && (!demands.HasFlag(ConsistencyDemands.Written) || _written.IsContainedIn(latest.Timeline, chain ?? TimelineChain.Empty))))
            {
                return ReadRequirement.Primary(RouteReason.SeenPositionUnknown);
            }

            if (!_pending.HasObservationsAt(mark)) return new ReadRequirement { MustInclude = must };
            return mayStay && _pending.OnlyObservation is { OnPrimary: false } observation
                ? new ReadRequirement { MustInclude = must, StayOn = observation.Node, StayConnection = observation.Connection }
                : ReadRequirement.Primary(RouteReason.SeenPositionUnknown);
        }
    }

    /// <summary>
    /// What a sample of the primary, taken after this call, would resolve of what the read must include. Null: nothing, or the read can
    /// stay where
    /// it is without.
    /// </summary>
    internal long? NeedsSample(ConsistencyDemands demands, ClusterSnapshot snapshot, bool mayStay, long mark = 0)
    {
        lock (_lock)
        {
            var must = demands.HasFlag(ConsistencyDemands.Written) ? WalPosition.Later(_written.Latest, _seen.Latest) : _seen.Latest;
            return _pending.NeedsSample(demands, snapshot, mayStay, must, mark);
        }
    }

    /// <summary>
    /// A mark for a read that is judged by positions: what was shown before it is bounded for it by samples that are started after it.
    /// </summary>
    internal long NextMark()
    {
        lock (_lock) return _pending.NextMark();
    }

    /// <summary>
    /// Resolves what was pending at the mark, by a sample of the primary that was started after it. Gives what was lost, if history was
    /// broken in
    /// between.
    /// </summary>
    internal LostWrite? Resolve(long mark, NodeState primary, ClusterSnapshot snapshot)
    {
        lock (_lock) return _pending.Resolve(mark, primary, snapshot, _written, _seen);
    }

    /// <summary>
    /// Compares the session's places with the history that the cluster went on with. A place that is not part of it, or may not be, gives
    /// way to the
    /// present of the primary, which has whatever survived. Gives the worst of what was lost.
    /// </summary>
    internal LostWrite? Validate(ClusterSnapshot snapshot)
    {
        lock (_lock)
        {
            var noted = _lost;
            _lost = null;
            if (snapshot.Primary is not { } primary) return LostWrite.Worse(noted, RemoveCrashed(snapshot));
            var lost = LostWrite.Worse(_written.Validate(primary, snapshot.Chain), _seen.Validate(primary, snapshot.Chain));
            lost = LostWrite.Worse(lost, _pending.Validate(primary, snapshot));
            _hasMoved |= lost is { WasWritten: true };
            return LostWrite.Worse(noted, lost);
        }
    }

    /// <summary>It wrote or saw something that a crash of the primary may have lost.</summary>
    internal bool IsSomewhere
    {
        get
        {
            lock (_lock) return !_written.IsEmpty || !_seen.IsEmpty || !_pending.IsEmpty;
        }
    }

    /// <summary>
    /// A place from another process lies beyond what the primary is known to have: only a sample taken after it came can tell whether it
    /// exists.
    /// </summary>
    internal bool NeedsVerification(NodeState primary)
    {
        lock (_lock) return _written.IsBeyond(primary) || _seen.IsBeyond(primary);
    }

    /// <summary>
    /// A place from another process is on a timeline that this one has not seen yet: there was a promotion that it must learn of first.
    /// </summary>
    internal bool IsAheadOf(ClusterSnapshot snapshot)
    {
        lock (_lock) return _written.IsAheadOf(snapshot.LatestTimeline) || _seen.IsAheadOf(snapshot.LatestTimeline);
    }

    /// <summary>
    /// The replicas that should be probed before it is judged whether what they showed is lost, by node index; see
    /// <see cref="PendingPositions"/>.
    /// </summary>
    internal int[] ReplicasToAsk(NodeState primary, ClusterSnapshot snapshot)
    {
        lock (_lock) return _pending.ReplicasToAsk(primary, snapshot);
    }

    /// <summary>Something of what the session is to go on after was lost; told by the next read.</summary>
    internal void NoteLoss(LostWrite lost)
    {
        lock (_lock)
        {
            _lost = LostWrite.Worse(_lost, lost);
            _hasMoved |= lost.WasWritten;
        }
    }

    /// <summary>
    /// Compares places from another process with a sample of the primary taken after they came. One beyond it is forged, or of a write lost
    /// in a crash:
    /// it gives way to the present.
    /// </summary>
    internal LostWrite? Verify(NodeState primary)
    {
        lock (_lock)
        {
            var lost = _written.Verify(primary);
            var unseen = _seen.Verify(primary);
            _hasMoved |= lost is { WasWritten: true };
            return lost ?? unseen;
        }
    }

    /// <summary>The session goes on where another left off: at places, or somewhere unknown (pending).</summary>
    /// <param name="written">Where its writes reach.</param>
    /// <param name="seen">What its reads have shown.</param>
    /// <param name="isUnknown">Something of it is not known.</param>
    /// <param name="isInDoubt">A connection of it broke during a commit.</param>
    /// <param name="unknown">What is known of what is not.</param>
    internal void Resume(WalPosition? written, WalPosition? seen = null, bool isUnknown = false, bool isInDoubt = false,
        UnknownPosition unknown = default)
    {
        lock (_lock)
        {
            if (isUnknown)
            {
                AddUnknownWrite(unknown, isInDoubt: false);
                if (isInDoubt && unknown.Backend == 0) AddUnknownWrite(unknown, isInDoubt);
                foreach (var backend in unknown.Backends) AddUnknownWrite(unknown, isInDoubt, backend);
                var timeline = unknown.Timeline != 0 ? unknown.Timeline : _monitor?.Snapshot.LatestTimeline ?? 0;
                _pending.Add(ObservationSomewhere(timeline, LearnedPosition.Unknown));
            }

            var epoch = _monitor?.Snapshot.Chain.PrimaryEpoch ?? 0;
            if (written is { } w) _written.Add(new LearnedPosition(w, LearnedPosition.Unknown, epoch));
            if (seen is { } s) _seen.Add(new LearnedPosition(s, LearnedPosition.Unknown, epoch));
        }
    }

    /// <summary>
    /// Something that may write is about to be sent to the primary. Until <see cref="EndWrite"/> reads keep to it. False: the session does
    /// not follow it.
    /// </summary>
    internal bool BeginWrite()
    {
        lock (_lock)
        {
            if (_isEnded || IgnoresWrites) return false;
            _pending.BeginWrite();
            _hasMoved = true;
            return true;
        }
    }

    /// <summary>The write has ended: at a known place, or somewhere (pending), or nobody knows whether it happened (in doubt).</summary>
    /// <param name="node">Where it was sent.</param>
    /// <param name="at">Its place, if that is known.</param>
    /// <param name="isInDoubt">The connection broke before it was acknowledged.</param>
    /// <param name="backend">The server process that may still commit it; zero: unknown.</param>
    /// <param name="probesSent">
    /// How many probes had been sent when its connection was opened; zero: it is of the node's epoch for certain.
    /// </param>
    /// <param name="openTransaction">The transaction that may still be committed; <see langword="null"/>: none is known.</param>
    internal void EndWrite(NodeState node, LearnedPosition? at, bool isInDoubt = false, int backend = 0, long probesSent = 0,
        string? openTransaction = null)
    {
        lock (_lock)
        {
            _pending.EndWrite();
            _hasWritten = true;
            if (at is { } learned && !isInDoubt) _written.Add(learned);
            else
            {
                var write = new PendingWrite(node.Timeline, node.PrimaryEpoch, node.Index, isInDoubt, node.Epoch, backend);
                _pending.Add(write with { ProbesSent = probesSent, OpenTransaction = openTransaction });
            }
        }
    }

    /// <summary>The transactions of the primary that were open when the session's connections left them; empty: none.</summary>
    internal string[] OpenTransactions(NodeState primary)
    {
        lock (_lock) return _pending.OpenTransactionsAt(primary);
    }

    /// <summary>Transactions of the primary have ended, by commit or by rollback.</summary>
    internal void Settle(NodeState primary, string[] ended)
    {
        lock (_lock) _pending.Settle(primary, ended);
    }

    /// <summary>The server processes of the primary that may still commit something of the session's; empty: none is known.</summary>
    internal int[] BackendsInDoubt(NodeState primary)
    {
        lock (_lock) return _pending.BackendsInDoubtAt(primary);
    }

    /// <summary>
    /// Server processes of the primary are gone: what they were to commit is committed or never will be, and a sample taken from now on has
    /// it.
    /// </summary>
    internal void Settle(NodeState primary, int[] gone)
    {
        lock (_lock) _pending.Settle(primary, gone);
    }

    /// <summary>The write is known not to have happened, such as a transaction that was rolled back.</summary>
    internal void AbandonWrite()
    {
        lock (_lock) _pending.EndWrite();
    }

    /// <summary>
    /// A node has answered something: with rows, a count or an error, each of which tells of what it has. Known on the primary when the
    /// answer
    /// brought its insert position along; pending otherwise.
    /// </summary>
    /// <param name="node">The node, as it was known when it was chosen.</param>
    /// <param name="onPrimary">It was the primary.</param>
    /// <param name="at">What bounds what it has shown; <see langword="null"/>: unknown.</param>
    /// <param name="connection">The identity of the physical connection.</param>
    /// <param name="epoch">The epoch that the connection itself has shown; <see langword="null"/>: that of the node.</param>
    internal void Observe(NodeState node, bool onPrimary, LearnedPosition? at = null, object? connection = null, ServerEpoch? epoch = null)
    {
        lock (_lock)
        {
            if (_isEnded) return;
            if (at is { } learned)
            {
                _seen.Add(learned);
                return;
            }

            _pending.Add(ObservationOf(node, onPrimary, connection, epoch));
        }
    }

    /// <summary>
    /// A node shows something on a connection that stays open, and may show more until <see cref="EndObservation"/>. It counts at once, and
    /// nothing resolves it before
    /// its end. False: the session has ended.
    /// </summary>
    /// <param name="node">The node, as it was known when it was chosen.</param>
    /// <param name="onPrimary">It was the primary.</param>
    /// <param name="connection">The identity of the physical connection.</param>
    /// <param name="epoch">The epoch that the connection itself has shown; <see langword="null"/>: that of the node.</param>
    /// <param name="timeline">The timeline that the connection has shown with its epoch; zero: none.</param>
    internal bool BeginObservation(NodeState node, bool onPrimary, object? connection, ServerEpoch? epoch = null, uint timeline = 0)
    {
        lock (_lock)
        {
            if (_isEnded) return false;
            var observation = ObservationOf(node, onPrimary, connection, epoch) with { UnderWay = 1 };

            // Another server than the probed one has answered, or a later run of it: what the probes say of the timeline is not true of
            // that.
            var isAnother = !onPrimary && epoch is { IsUnknown: false } shown && shown != node.Epoch;
            _pending.Add(isAnother ? observation with { Timeline = Math.Max(timeline, 1) } : observation);
            return true;
        }
    }

    /// <summary>The connection was closed on which the node was showing something.</summary>
    internal void EndObservation(NodeState node, bool onPrimary, ServerEpoch? epoch = null)
    {
        lock (_lock) _pending.EndObservation(new NodeEpoch(node.Index, epoch ?? node.Epoch), onPrimary);
    }

    /// <summary>A connection for writing is open, and the primary shows on it what it has.</summary>
    internal void BeginShowingWithWrites()
    {
        lock (_lock) _pending.BeginShowingWithWrites();
    }

    /// <summary>The connection for writing was closed. What it has shown is noted besides (<see cref="Observe"/>).</summary>
    internal void EndShowingWithWrites()
    {
        lock (_lock) _pending.EndShowingWithWrites();
    }

    /// <summary>
    /// Runs when the innermost scope of <see cref="IgnoreWrites"/> around the caller ends, unless what is returned is disposed of before.
    /// Only within such a scope
    /// of this session.
    /// </summary>
    internal static IDisposable AtEndOfIgnoring(Action then) => Unmoved.Value!.AtEnd(then);

    /// <summary>The caller's writes do not move the session.</summary>
    internal bool IgnoresWrites => Unmoved.Value?.Session == this;

    // One that receives nothing shows no timeline: it may have been left behind on any. One that hides it counts as on the latest known
    // then.
    private static PendingObservation ObservationOf(NodeState node, bool onPrimary, object? connection, ServerEpoch? epoch) => new(
        new NodeEpoch(node.Index, epoch ?? node.Epoch), node.Timeline != 0 ? node.Timeline : node.SeesTimeline
            ? 1 : Math.Max(node.LatestTimeline, 1),
        node.PrimaryEpoch, onPrimary, connection);

    /// <summary>
    /// The primary crashed, was seen to have lost something, and is away again: what it has instead is not known, and is pending. A replica
    /// must not answer before the
    /// session is told, for later WAL passes the position.
    /// </summary>
    private LostWrite? RemoveCrashed(ClusterSnapshot snapshot)
    {
        var (written, seen) = (_written.RemoveCrashed(snapshot.Chain), _seen.RemoveCrashed(snapshot.Chain));
        if (written is not null) AddUnknownWrite();
        if (seen is not null) _pending.Add(ObservationSomewhere(snapshot.LatestTimeline, snapshot.Chain.PrimaryEpoch));
        _hasMoved |= written is not null;
        return LostWrite.Worse(written, seen);
    }

    private static bool IsSettled(Watermark watermark, TimelineChain? chain) =>
        watermark.Latest is not { } latest || watermark.IsContainedIn(latest.Timeline, chain ?? TimelineChain.Empty);

    private static PendingObservation ObservationSomewhere(uint timeline, int primaryEpoch) =>
        new(new NodeEpoch(-1, default), timeline, primaryEpoch, OnPrimary: true, Connection: null);

    private void ThrowIfEnded()
    {
        if (_isEnded)
            throw new ObjectDisposedException(
                nameof(ConsistencySession),
                "The session has ended: the request, or the BeginSession block, that it belongs to is over. Work that goes on after "
                    + "that begins a session of its own (BeginSession), or asks for Strong.");
    }

    private void AddUnknownWrite(UnknownPosition at = default, bool isInDoubt = false, int backend = 0)
    {
        var snapshot = _monitor?.Snapshot;

        // Where no server process is known, the end of the primary's present run settles it.
        var primary = backend == 0 ? snapshot?.Primary : null;
        _pending.Add(new PendingWrite(
            at.Timeline != 0 ? at.Timeline : snapshot?.LatestTimeline ?? 0, snapshot?.Chain.PrimaryEpoch ?? LearnedPosition.Unknown,
            Node: primary?.Index ?? -1, isInDoubt, primary?.Epoch ?? default, backend));
    }

    private sealed class Ignoring(ConsistencySession session, Ignoring? outer) : IDisposable
    {
        private readonly Lock _lock = new();
        private List<Action>? _atEnd = [];

        public ConsistencySession Session => session;

        public IDisposable AtEnd(Action then)
        {
            lock (_lock)
            {
                _atEnd?.Add(then);
                if (_atEnd is not null) return new Registration(this, then);
            }

            // Another flow has ended the scope.
            then();
            return new Registration(this, then);
        }

        public void Dispose()
        {
            Unmoved.Value = outer;
            List<Action>? atEnd;
            lock (_lock) (atEnd, _atEnd) = (_atEnd, null);
            foreach (var then in atEnd ?? []) then();
        }

        private sealed class Registration(Ignoring scope, Action then) : IDisposable
        {
            public void Dispose()
            {
                lock (scope._lock) scope._atEnd?.Remove(then);
            }
        }
    }
}
