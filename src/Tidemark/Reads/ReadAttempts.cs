using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Tidemark;

/// <summary>
/// The attempts of one read: derives the node anew before each, and says after a failure whether another is worth it. Holds no connection
/// and
/// does no I/O, so that the synchronous and the asynchronous caller share it. A read is repeated before its first row only.
/// </summary>
internal struct ReadAttempts
{
    private readonly ClusterConnections _cluster;
    private readonly ReadRequest _request;

    // A named node is evaluated by a position even while something is open that shows more. A sample taken after the read began bounds
    // what was shown before.
    private readonly long _mark;

    private readonly bool _isKnownToWrite;
    private ulong _failed;
    private ulong _broken;
    private ulong _behind;
    private bool _brokeTwice;
    private bool _isMoved;
    private bool _hasWaited;
    private bool _mayNotStay;
    private bool _isVerified;
    private Exception? _last;

    public ReadAttempts(ClusterConnections cluster, in ReadRequest request)
    {
        (_cluster, _request) = (cluster, request);
        _mark = request.OnNode is null || request.Session is null ? 0 : request.Session.NextMark();
        if (request.OnNode is null && cluster.WritingStatements.Contains(request.Text)) _isKnownToWrite = _isMoved = IsWrite = true;
    }

    public RouteDecision Decision { get; private set; }

    /// <summary>
    /// The caller can wait for a replica (<see cref="WaitsFor"/>); a named one is then waited for before there is no node.
    /// </summary>
    public bool MayWait { get; init; }

    // A node that was named is judged by a position where that can be learned: the session may have read on another.
    private readonly bool MayStay => !_mayNotStay && (_request.OnNode is null || _cluster.Monitor.Snapshot.Primary is null);

    /// <summary>What to throw in place of a failure that was not absorbed: the statement was aimed at a node that cannot run it.</summary>
    public RoutingException? Refusal { get; private set; }

    /// <summary>The statement turned out to write, so it needs a connection that may, and counts as a write of the session.</summary>
    public bool IsWrite { get; private set; }

    /// <summary>What the read asks for now.</summary>
    public readonly ReadRequirement Requirement
    {
        get
        {
            if (_isMoved) return ReadRequirement.Primary(_isKnownToWrite ? RouteReason.KnownToWrite : RouteReason.RepeatedOnPrimary);
            var consistency = _request.Consistency;
            var requirement = _request.Session?.Require(consistency.Demands, MayStay, _mark, _cluster.Monitor.Snapshot.Chain)
                ?? Outside(consistency);
            if (requirement.PrimaryBecause == RouteReason.StrongConsistency)
                requirement = requirement with { PrimaryBecause = _request.StrongBecause };
            return requirement with
            {
                OnNode = _request.OnNode,
                MaxStaleness = consistency.MaxStaleness,
                CompleteSince = _cluster.CompleteSince(consistency.MaxStaleness),
            };
        }
    }

    /// <summary>The mark up to which a sample of the primary is wanted before the next attempt; <see langword="null"/>: none is.</summary>
    public readonly long? NeedsSample =>
        _isMoved || _request.Session is null || _cluster.Monitor.Snapshot is not { Primary: not null } snapshot
            ? null
            : _request.Session.NeedsSample(_request.Consistency.Demands, snapshot, MayStay, _mark);

    /// <summary>The node for the next attempt.</summary>
    /// <exception cref="RoutingException">None is left; says why for each.</exception>
    public RouteDecision Next()
    {
        Decision = Decide(_failed | _behind);
        if (Decision.NodeIndex < 0 && WaitsFor is null && _broken != 0)
        {
            // A pooled connection that broke says little about its node: before the read fails, such nodes are tried once more.
            (_failed, _broken) = (_failed & ~_broken, 0);
            _brokeTwice = true;
            Decision = Decide(_failed | _behind);
        }

        if (Decision.NodeIndex < 0 && WaitsFor is null) throw RoutingException.NoNode(Decision.Among(_failed), _last);
        if (_hasWaited && Decision.Reason == RouteReason.ReplicaHasPosition) Decision = Decision.Because(RouteReason.ReplicaCaughtUp);
        if (_cluster.Logger.IsEnabled(LogLevel.Debug)) Log.Routed(_cluster.Logger, Decision.ToString());
        return Decision;
    }

    /// <summary>
    /// The attempt is given up without a failure: the node has not replayed what the read must include, though it may yet if the read
    /// waits; or the
    /// session cannot stay there without knowing its position.
    /// </summary>
    public void GiveUp(ConnectionCheck check, Activity? activity)
    {
        RouteActivity.GiveUp(activity, check);
        _mayNotStay |= Decision.Stays;
        if (check == ConnectionCheck.Position) _behind |= 1UL << Decision.NodeIndex;

        // A connection that has nothing to show but where it leads to leads to another cluster, or twice not to the primary.
        if (check == ConnectionCheck.Learn || (check == ConnectionCheck.Unverified && _isVerified)) _failed |= 1UL << Decision.NodeIndex;
        _isVerified |= check == ConnectionCheck.Unverified;
    }

    /// <summary>
    /// A lone node's reads share the pool of its writes, and a statement there is not sent twice: what a session has lost is asked for
    /// before it is sent.
    /// </summary>
    public readonly bool MustVerifyFirst => _cluster.IsAlone && _request.Session is { IsSomewhere: true };

    /// <summary>What the connection must show before its rows are believed; <see langword="null"/>: nothing.</summary>
    public readonly ReadProof? ProofOf(ConnectionCheck check)
    {
        var (node, identifier) = (Decision.State, Decision.Snapshot.SystemIdentifier);
        return check switch
        {
            ConnectionCheck.Position => new ReadProof(_cluster, node, Decision.MustShow, Epoch: null, OnPrimary: false, identifier),
            ConnectionCheck.Epoch =>
                new ReadProof(_cluster, node, Decision.MustInclude is null
                ? null : Decision.MustShow, Decision.StayEpoch, OnPrimary: false, identifier),

            // Outside a session no read depends on the one before. A plain statement then stays plain: the driver sends the later
            // statements of a
            // synchronous batch from the thread pool, which callers may have exhausted.
            ConnectionCheck.Learn when _request.Session is null && !node.IsPooled => null,
            ConnectionCheck.Learn => new ReadProof(_cluster, node, Position: null, Epoch: null, OnPrimary: false, identifier),
            ConnectionCheck.Unverified when !_cluster.IsAlone => new ReadProof(
                _cluster, node, Position: null, _request.Session is { IsSomewhere: true } && !_isVerified
                    ? node.Epoch : null, OnPrimary: true, identifier),
            _ => null,
        };
    }

    /// <summary>
    /// The read is about to go to the primary for want of a replica, or to fail for want of the one it named, and has not waited yet: the
    /// place to wait
    /// for. Null: there is nothing to wait for, or the caller cannot.
    /// </summary>
    public readonly WalPosition? WaitsFor =>
        MayWait && !_hasWaited && (Decision.Reason == RouteReason.NoReplicaCanServe || LacksNamed) ? Decision.MustInclude : null;

    private readonly bool LacksNamed => Decision.NodeIndex < 0 && _request.OnNode is not null && !_isMoved;

    /// <summary>The read has waited. When a replica has caught up meanwhile, all are judged by their positions again.</summary>
    public void Waited(bool caughtUp) => (_hasWaited, _behind) = (true, caughtUp ? 0 : _behind);

    /// <summary>Takes note of a failure. True: make the next attempt; false: the failure is the caller's.</summary>
    /// <param name="failure">What went wrong.</param>
    /// <param name="isOpen">It went wrong in the caller's own command, on a connection that had been opened.</param>
    /// <param name="mayHaveWritten">The caller's command was sent on a connection that is not known to be read-only.</param>
    public bool Absorb(Exception failure, bool isOpen, bool mayHaveWritten = false)
    {
        // No node was left: nothing to note about one.
        if (failure is RoutingException || Decision.Node is null) return false;

        switch (ReadFailures.Classify(failure, Decision.IsReplica, isOpen))
        {
            // Only the server's own word that the statement has failed makes it safe to send again what may have written.
            case ReadFailure.NodeLost or ReadFailure.TryAnotherNode when mayHaveWritten
                && failure is not PostgresException { InvariantSeverity: "ERROR" }:
                _cluster.Monitor.Suspect(Decision.NodeIndex);
                return false;

            case ReadFailure.NodeLost or ReadFailure.TryAnotherNode when !IsWrite:
                Exclude(isBroken: isOpen);
                _last = failure;
                if (_cluster.Logger.IsEnabled(LogLevel.Information))
                    Log.ReadMoved(_cluster.Logger, Decision.Node, NodeProbe.Describe(failure));
                return true;

            case ReadFailure.NodeFault when !IsWrite && CanServeElsewhere():
                _mayNotStay |= Decision.Stays;
                _failed |= 1UL << Decision.NodeIndex;
                _last = failure;
                if (_cluster.Logger.IsEnabled(LogLevel.Information))
                    Log.ReadMoved(_cluster.Logger, Decision.Node, NodeProbe.Describe(failure));
                return true;

            case ReadFailure.Writes when !IsWrite && !_request.MustNotWrite:
                if (_request.OnNode is not null)
                {
                    Refusal = RoutingException.WriteOnReplica(Decision, failure);
                    return false;
                }

                MoveToPrimary(failure);
                IsWrite = true;
                _cluster.WritingStatements.Note(_request.Text);
                return true;

            case ReadFailure.NeedsPrimary when !_isMoved && _request.OnNode is null:
                MoveToPrimary(failure);
                return true;

            default:
                return false;
        }
    }

    /// <summary>What a level asks for where there is no session: nothing was written that a read could miss.</summary>
    public static ReadRequirement Outside(Consistency consistency) =>
        consistency.Demands.HasFlag(ConsistencyDemands.Primary) ? ReadRequirement.Primary(RouteReason.StrongConsistency) : default;

    // The position that a session needs in order to stay may be lost with its node: then only the primary can serve, which any read may.
    private readonly bool CanServeElsewhere() =>
        Decide(_failed | _behind | (1UL << Decision.NodeIndex)).NodeIndex >= 0;

    private readonly RouteDecision Decide(ulong excluded) =>
        _cluster.Decide(Requirement, excluded, _request.Preferred, _request.Session?.Affinity);

    private void Exclude(bool isBroken)
    {
        if (isBroken && !_brokeTwice) _broken |= 1UL << Decision.NodeIndex;
        _mayNotStay |= Decision.Stays;
        _failed |= 1UL << Decision.NodeIndex;
        _cluster.Monitor.Suspect(Decision.NodeIndex);
    }

    private void MoveToPrimary(Exception failure)
    {
        _isMoved = true;
        _last = failure;
        Log.RepeatedOnPrimary(_cluster.Logger, Decision.Node, ((PostgresException)failure).SqlState);
    }
}
