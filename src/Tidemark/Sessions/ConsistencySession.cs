namespace Tidemark;

/// <summary>
/// A unit of work of one user, such as a request or a job, whose reads must include its earlier writes and reads. Safe for concurrent use.
/// One session may span several connections and contexts. <see cref="Dispose"/> ends it.
/// </summary>
/// <remarks>
/// The session keeps two watermarks: one for its writes, and one for what its reads may have returned, on any node. Each consists of known
/// WAL positions and of pending entries, whose positions are not known yet. One sample of the primary resolves the pending entries. A write
/// is in doubt if its connection broke during a commit.
/// </remarks>
public sealed class ConsistencySession : IDisposable
{
    private static readonly AsyncLocal<FlowScope<Ignoring>?> IgnoringScope = new();

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
    /// The WAL position of the session's writes, or <see langword="null"/> if it has written nothing or the position is not known.
    /// </summary>
    public WalPosition? Written
    {
        get
        {
            lock (_lock) return _pending.HasWrites ? null : _written.Latest;
        }
    }

    /// <summary>
    /// The WAL position that bounds what the session's reads returned, or <see langword="null"/> if they returned nothing or the position
    /// is not known.
    /// </summary>
    public WalPosition? Observed
    {
        get
        {
            lock (_lock) return _pending.HasObservations ? null : _seen.Latest;
        }
    }

    /// <summary>
    /// The hash of the affinity key, which keeps the session's reads on one node if it can serve them. <see langword="null"/> if there is
    /// no key.
    /// </summary>
    internal ulong? Affinity { get; init; }

    /// <summary>
    /// Validates tokens that are included later. <see langword="null"/> if the session belongs to a context, where no tokens are included.
    /// </summary>
    internal Action<ConsistencySession, CausalToken>? ContinueAfter { private get; init; }

    /// <summary>
    /// <see langword="true"/> if the session has more to include than the token with which it began: its own writes, a loss, or an included
    /// token. Its token must then be replaced.
    /// </summary>
    internal bool NeedsNewToken
    {
        get
        {
            lock (_lock) return _hasMoved || _hasIncluded;
        }
    }

    /// <summary><see langword="true"/> if the session has written something whose position is not known.</summary>
    internal bool IsUnknown
    {
        get
        {
            lock (_lock) return _pending.HasWrites;
        }
    }

    /// <summary>
    /// Captures the watermarks for a token, as of one moment. A write that begins during the capture is either not in the token at all, or
    /// makes it unknown.
    /// </summary>
    /// <param name="what">The watermarks that the token must carry.</param>
    /// <param name="chain">The cluster's timeline history, or <see langword="null"/> if it is not known.</param>
    internal CapturedWatermarks Capture(ConsistencyDemands what, TimelineChain? chain = null)
    {
        lock (_lock)
        {
            var withObserved = what.HasFlag(ConsistencyDemands.Observed);
            UnknownPosition? unknown = null;

            // A token has room for one position per watermark. If the latest position may not include the others, the token is marked as
            // unknown, so that the session that continues it reports a loss.
            var (hasWrites, hasObservations) =
                (_pending.HasWrites || !IsSettled(_written, chain), _pending.HasObservations || !IsSettled(_seen, chain));
            if (hasWrites || (withObserved && hasObservations))
            {
                // The earliest timeline of anything in the session, and the server processes that may still commit something.
                var timeline = _written.Timelines.Concat(_seen.Timelines).Concat(_pending.Timelines).Where(t => t != 0).DefaultIfEmpty()
                    .Min();
                unknown = UnknownPosition.Of(timeline, [.. _pending.BackendsInDoubt]);
            }

            return new CapturedWatermarks(
                hasWrites ? null : _written.Latest, withObserved && !hasObservations ? _seen.Latest : null, unknown, _pending.IsInDoubt);
        }
    }

    /// <summary>
    /// The WAL position of the session's writes, if it is known to cover every write of the caller. <see langword="null"/> if the session
    /// has written nothing itself, if a write is pending, or if some writes are not tracked (see <see cref="IgnoreWrites"/>, or writes
    /// after the end of the session).
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

    /// <summary><see langword="true"/> if a connection of the session broke during a commit, and the outcome is still unknown.</summary>
    internal bool IsInDoubt
    {
        get
        {
            lock (_lock) return _pending.IsInDoubt;
        }
    }

    /// <summary>
    /// <see langword="true"/> if the session has written or lost something since it began. Its token must then be replaced.
    /// </summary>
    internal bool HasMoved
    {
        get
        {
            lock (_lock) return _hasMoved;
        }
    }

    /// <summary>Records a write that was made without Tidemark, such as one by another library. The next read includes it.</summary>
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
    /// Makes the session's following reads include what another session has written and read, in this process or another. Validates the
    /// token as <see cref="TidemarkDataSource.BeginSession(CausalToken?, string?)"/> does: the positions in a token that is not accepted
    /// count as unknown.
    /// </summary>
    /// <exception cref="ArgumentException">The token belongs to another cluster. The session is unchanged.</exception>
    /// <exception cref="ObjectDisposedException">The session has ended.</exception>
    public void Include(CausalToken token)
    {
        ArgumentNullException.ThrowIfNull(token);
        lock (_lock) ThrowIfEnded();
        var continueAfter = ContinueAfter ?? throw new InvalidOperationException("The session does not belong to a data source.");
        continueAfter(this, token);
        lock (_lock) _hasIncluded = true;
    }

    /// <summary>
    /// Stops tracking the caller's writes until the returned scope is disposed. Use it for writes that the session's reads need not
    /// include, such as a last-seen time or an audit record.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The session has ended.</exception>
    /// <remarks>The scope flows with <see langword="await"/>, and does not affect other concurrent users of the session.</remarks>
    public IDisposable IgnoreWrites()
    {
        lock (_lock)
        {
            ThrowIfEnded();
            _hasIgnored = true;
        }

        return new Ignoring(this);
    }

    /// <summary>
    /// Ends the session. Its connections stay usable, but what runs on them no longer belongs to a session. Work that continues after the
    /// end must begin its own session. A routed read that still uses this one throws <see cref="ObjectDisposedException"/>, unless it
    /// requires <see cref="Consistency.Strong"/>.
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

    /// <summary>Returns the requirement of a read. It is derived only from values, and derived again for each attempt.</summary>
    /// <param name="demands">The demands of the consistency level.</param>
    /// <param name="mayStay">
    /// <see langword="true"/> if a node whose observations are pending may serve again without a known position; <see langword="false"/> if
    /// it is known that it cannot.
    /// </param>
    /// <param name="mark">The read's own mark (<see cref="NextMark"/>), or zero if it has none.</param>
    /// <param name="chain">The cluster's timeline history, or <see langword="null"/> if it is not known.</param>
    internal ReadRequirement Require(ConsistencyDemands demands, bool mayStay = true, long mark = 0, TimelineChain? chain = null)
    {
        if (demands.HasFlag(ConsistencyDemands.Primary)) return ReadRequirement.Primary(RouteReason.StrongConsistency);
        lock (_lock)
        {
            ThrowIfEnded();
            WalPosition? must = null;
            if (demands.HasFlag(ConsistencyDemands.Written))
            {
                // The session can have positions on two timelines while no primary responds. The history of a node with the latest position
                // may not include the others.
                if (_pending.HasWrites || !IsSettled(_written, chain)) return ReadRequirement.Primary(RouteReason.WrittenPositionUnknown);
                must = _written.Latest;
            }

            if (!demands.HasFlag(ConsistencyDemands.Observed)) return new ReadRequirement { MustInclude = must };
            must = WalPosition.Later(must, _seen.Latest);
            if (must is { } latest && !(_seen.IsContainedIn(latest.Timeline, chain ?? TimelineChain.Empty)
                && (!demands.HasFlag(ConsistencyDemands.Written) || _written.IsContainedIn(latest.Timeline, chain ?? TimelineChain.Empty))))
            {
                return ReadRequirement.Primary(RouteReason.ObservedPositionUnknown);
            }

            if (!_pending.HasObservationsAt(mark)) return new ReadRequirement { MustInclude = must };
            return mayStay && _pending.OnlyObservation is { OnPrimary: false } observation
                ? new ReadRequirement { MustInclude = must, StayOn = observation.Node, StayConnection = observation.Connection }
                : ReadRequirement.Primary(RouteReason.ObservedPositionUnknown);
        }
    }

    /// <summary>
    /// Returns the mark up to which a sample of the primary, taken after this call, would resolve what the read must include. Returns
    /// <see langword="null"/> if it would resolve nothing, or if the read can stay on its node without a sample.
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
    /// Returns a mark for a read that is checked by positions. Samples that start after the mark bound everything that was observed before
    /// it.
    /// </summary>
    internal long NextMark()
    {
        lock (_lock) return _pending.NextMark();
    }

    /// <summary>
    /// Resolves what was pending at the mark, from a sample of the primary that started after it. Returns what was lost if the history was
    /// broken in between.
    /// </summary>
    internal LostWrite? Resolve(long mark, NodeState primary, ClusterSnapshot snapshot)
    {
        lock (_lock) return _pending.Resolve(mark, primary, snapshot, _written, _seen);
    }

    /// <summary>
    /// Compares the session's positions with the current history of the cluster. A position that is not part of it, or may not be, is
    /// replaced by the current position of the primary, which includes everything that survived. Returns the worst loss.
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

    /// <summary><see langword="true"/> if the session has written or read something that a crash of the primary may have lost.</summary>
    internal bool HasPositions
    {
        get
        {
            lock (_lock) return !_written.IsEmpty || !_seen.IsEmpty || !_pending.IsEmpty;
        }
    }

    /// <summary>
    /// Returns whether a position from another process is beyond what the primary is known to have. Only a sample taken after the position
    /// was received can show whether it exists.
    /// </summary>
    internal bool NeedsVerification(NodeState primary)
    {
        lock (_lock) return _written.IsBeyond(primary) || _seen.IsBeyond(primary);
    }

    /// <summary>
    /// Returns whether a position from another process is on a timeline that this process has not observed yet. This process must first
    /// detect the promotion.
    /// </summary>
    internal bool IsAheadOf(ClusterSnapshot snapshot)
    {
        lock (_lock) return _written.IsAheadOf(snapshot.LatestTimeline) || _seen.IsAheadOf(snapshot.LatestTimeline);
    }

    /// <summary>
    /// Returns the indexes of the replicas to probe before it is evaluated whether what they returned is lost; see
    /// <see cref="PendingPositions"/>.
    /// </summary>
    internal int[] ReplicasToProbe(NodeState primary, ClusterSnapshot snapshot)
    {
        lock (_lock) return _pending.ReplicasToProbe(primary, snapshot);
    }

    /// <summary>Records the loss of something that the session continues. The next read reports it.</summary>
    internal void NoteLoss(LostWrite lost)
    {
        lock (_lock)
        {
            _lost = LostWrite.Worse(_lost, lost);
            _hasMoved |= lost.WasWritten;
        }
    }

    /// <summary>
    /// Compares positions from other processes with a sample of the primary taken after they were received. A position beyond the sample is
    /// forged, or its write was lost in a crash. It is replaced by the current position.
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

    /// <summary>Continues another session, at known positions or at an unknown position (pending).</summary>
    /// <param name="written">The WAL position of its writes.</param>
    /// <param name="seen">The WAL position of its reads.</param>
    /// <param name="isUnknown"><see langword="true"/> if some of its positions are not known.</param>
    /// <param name="isInDoubt"><see langword="true"/> if one of its connections broke during a commit.</param>
    /// <param name="unknown">What is known about the unknown positions.</param>
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
                _pending.Add(ObservationSomewhere(timeline, KnownPosition.Unknown));
            }

            var epoch = _monitor?.Snapshot.Chain.PrimaryEpoch ?? 0;
            if (written is { } w) _written.Add(new KnownPosition(w, KnownPosition.Unknown, epoch));
            if (seen is { } s) _seen.Add(new KnownPosition(s, KnownPosition.Unknown, epoch));
        }
    }

    /// <summary>
    /// Called before a statement that may write is sent to the primary. Reads stay on the primary until <see cref="EndWrite"/>. Returns
    /// <see langword="false"/> if the session does not track the write.
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

    /// <summary>
    /// Called when a write has ended: at a known position, at an unknown one (pending), or with an unknown outcome (in doubt).
    /// </summary>
    /// <param name="node">The node to which it was sent.</param>
    /// <param name="at">Its position, if known.</param>
    /// <param name="isInDoubt"><see langword="true"/> if the connection broke before the write was acknowledged.</param>
    /// <param name="backend">The server process that may still commit it, or zero if unknown.</param>
    /// <param name="probesSent">
    /// The number of probes that had been sent when its connection was opened; zero if the connection certainly belongs to the node's
    /// epoch.
    /// </param>
    /// <param name="openTransaction">The transaction that may still be committed, or <see langword="null"/> if none is known.</param>
    internal void EndWrite(NodeState node, KnownPosition? at, bool isInDoubt = false, int backend = 0, long probesSent = 0,
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

    /// <summary>
    /// Returns the transactions of the primary that were open when the session's connections were abandoned; empty if there are none.
    /// </summary>
    internal string[] OpenTransactions(NodeState primary)
    {
        lock (_lock) return _pending.OpenTransactionsAt(primary);
    }

    /// <summary>Called when transactions of the primary have ended, by commit or by rollback.</summary>
    internal void Settle(NodeState primary, string[] ended)
    {
        lock (_lock) _pending.Settle(primary, ended);
    }

    /// <summary>
    /// Returns the server processes of the primary that may still commit something of the session; empty if none are known.
    /// </summary>
    internal int[] BackendsInDoubt(NodeState primary)
    {
        lock (_lock) return _pending.BackendsInDoubtAt(primary);
    }

    /// <summary>
    /// Called when server processes of the primary have exited. Their transactions are now committed or never will be, and a sample taken
    /// from now on includes them.
    /// </summary>
    internal void Settle(NodeState primary, int[] gone)
    {
        lock (_lock) _pending.Settle(primary, gone);
    }

    /// <summary>Called when a write is known not to have happened, such as a transaction that was rolled back.</summary>
    internal void AbandonWrite()
    {
        lock (_lock) _pending.EndWrite();
    }

    /// <summary>
    /// Records an observation: a node has returned rows, a count or an error, each of which depends on its data. On the primary the
    /// position is known if the response contained its insert position. Otherwise it is pending.
    /// </summary>
    /// <param name="node">The node, in its state when it was chosen.</param>
    /// <param name="onPrimary"><see langword="true"/> if the node was the primary.</param>
    /// <param name="at">The position that bounds what was observed, or <see langword="null"/> if unknown.</param>
    /// <param name="connection">The identity of the physical connection.</param>
    /// <param name="epoch">The epoch that the connection itself reported, or <see langword="null"/> to use that of the node.</param>
    internal void Observe(NodeState node, bool onPrimary, KnownPosition? at = null, object? connection = null, ServerEpoch? epoch = null)
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
    /// Records an observation on a connection that stays open, and that may return more until <see cref="EndObservation"/>. It counts at
    /// once, and no sample resolves it before its end. Returns <see langword="false"/> if the session has ended.
    /// </summary>
    /// <param name="node">The node, in its state when it was chosen.</param>
    /// <param name="onPrimary"><see langword="true"/> if the node was the primary.</param>
    /// <param name="connection">The identity of the physical connection.</param>
    /// <param name="epoch">The epoch that the connection itself reported, or <see langword="null"/> to use that of the node.</param>
    /// <param name="timeline">The timeline that the connection reported with its epoch, or zero if none.</param>
    internal bool BeginObservation(NodeState node, bool onPrimary, object? connection, ServerEpoch? epoch = null, uint timeline = 0)
    {
        lock (_lock)
        {
            if (_isEnded) return false;
            var observation = ObservationOf(node, onPrimary, connection, epoch) with { UnderWay = 1 };

            // The connection leads to another server than the probed one, or to a later run of it. The timeline that the probes reported
            // does not apply to it.
            var isAnother = !onPrimary && epoch is { IsUnknown: false } shown && shown != node.Epoch;
            _pending.Add(isAnother ? observation with { Timeline = Math.Max(timeline, 1) } : observation);
            return true;
        }
    }

    /// <summary>Called when the connection of an observation that had begun is closed.</summary>
    internal void EndObservation(NodeState node, bool onPrimary, ServerEpoch? epoch = null)
    {
        lock (_lock) _pending.EndObservation(new NodeEpoch(node.Index, epoch ?? node.Epoch), onPrimary);
    }

    /// <summary>Called when a connection for writing is opened. What the primary returns on it is an observation.</summary>
    internal void BeginShowingWithWrites()
    {
        lock (_lock) _pending.BeginShowingWithWrites();
    }

    /// <summary>
    /// Called when the connection for writing is closed. What it has returned is recorded separately (<see cref="Observe"/>).
    /// </summary>
    internal void EndShowingWithWrites()
    {
        lock (_lock) _pending.EndShowingWithWrites();
    }

    /// <summary>
    /// Runs an action when the innermost <see cref="IgnoreWrites"/> scope of this session around the caller ends, unless the returned
    /// registration is disposed first. If none surrounds the caller any longer, runs it now.
    /// </summary>
    internal IDisposable? AtEndOfIgnoring(Action then)
    {
        if (IgnoringAround() is { } ignoring) return ignoring.AtEnd(then);
        then();
        return null;
    }

    /// <summary><see langword="true"/> if the caller's writes are not tracked.</summary>
    internal bool IgnoresWrites => IgnoringAround() is not null;

    private Ignoring? IgnoringAround()
    {
        for (var scope = IgnoringScope.Value; scope is not null; scope = scope.Outer)
            if (scope.Value.Session == this && !scope.HasEnded) return scope.Value;
        return null;
    }

    // A node that receives no WAL shows no timeline, and may have been left behind on any. A node that hides its timeline counts as on the
    // latest one known at that time.
    private static PendingObservation ObservationOf(NodeState node, bool onPrimary, object? connection, ServerEpoch? epoch) => new(
        new NodeEpoch(node.Index, epoch ?? node.Epoch), node.Timeline != 0 ? node.Timeline : node.SeesTimeline
            ? 1 : Math.Max(node.LatestTimeline, 1),
        node.PrimaryEpoch, onPrimary, connection);

    /// <summary>
    /// Handles a crash of the primary that is known to have lost something, while the primary is unavailable again. Its current position is
    /// not known, and is pending. The loss must be reported before a replica serves a read, because later WAL will pass the lost position.
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
                "The session has ended: the request or BeginSession block to which it belongs is over. Work that continues after the "
                    + "end must begin its own session (BeginSession) or read with Consistency.Strong.");
    }

    private void AddUnknownWrite(UnknownPosition at = default, bool isInDoubt = false, int backend = 0)
    {
        var snapshot = _monitor?.Snapshot;

        // If no server process is known, the end of the primary's current run settles the write.
        var primary = backend == 0 ? snapshot?.Primary : null;
        _pending.Add(new PendingWrite(
            at.Timeline != 0 ? at.Timeline : snapshot?.LatestTimeline ?? 0, snapshot?.Chain.PrimaryEpoch ?? KnownPosition.Unknown,
            Node: primary?.Index ?? -1, isInDoubt, primary?.Epoch ?? default, backend));
    }

    private sealed class Ignoring : IDisposable
    {
        private readonly Lock _lock = new();
        private readonly FlowScope<Ignoring> _scope;
        private List<Action>? _atEnd = [];

        public Ignoring(ConsistencySession session)
        {
            Session = session;
            _scope = FlowScope<Ignoring>.Enter(IgnoringScope, this, static _ => true);
        }

        public ConsistencySession Session { get; }

        public IDisposable AtEnd(Action then)
        {
            lock (_lock)
            {
                _atEnd?.Add(then);
                if (_atEnd is not null) return new Registration(this, then);
            }

            // Another flow has already ended the scope.
            then();
            return new Registration(this, then);
        }

        public void Dispose()
        {
            _scope.Dispose();
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
