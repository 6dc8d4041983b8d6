using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Tidemark;

/// <summary>
/// The attempts of one read. Selects the node again before each attempt, and decides after a failure whether to make another. Holds no
/// connection and does no I/O, so that synchronous and asynchronous callers share it. A read is retried only before its first row.
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
    /// Whether the caller can wait for a replica (<see cref="WaitsFor"/>). The read then also waits for a named node before it fails.
    /// </summary>
    public bool MayWait { get; init; }

    // A named node is evaluated by a position if that can be sampled, because the session may have read on another node.
    private readonly bool MayStay => !_mayNotStay && (_request.OnNode is null || _cluster.Monitor.Snapshot.Primary is null);

    /// <summary>
    /// The exception to throw in place of a failure that was not absorbed: the statement was sent to a named node that cannot run it.
    /// </summary>
    public RoutingException? Refusal { get; private set; }

    /// <summary>
    /// Whether the statement turned out to write. It then needs a connection that may write, and counts as a write of the session.
    /// </summary>
    public bool IsWrite { get; private set; }

    /// <summary>The current requirement of the read.</summary>
    public readonly ReadRequirement Requirement
    {
        get
        {
            if (_isMoved) return ReadRequirement.Primary(_isKnownToWrite ? RouteReason.KnownToWrite : RouteReason.RetriedOnPrimary);
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

    /// <summary>
    /// The mark up to which a sample of the primary is needed before the next attempt, or <see langword="null"/> if none is needed.
    /// </summary>
    public readonly long? NeedsSample =>
        _isMoved || _request.Session is null || _cluster.Monitor.Snapshot is not { Primary: not null } snapshot
            ? null
            : _request.Session.NeedsSample(_request.Consistency.Demands, snapshot, MayStay, _mark);

    /// <summary>Selects the node for the next attempt.</summary>
    /// <exception cref="RoutingException">No node is left. Its message contains the reason for each node.</exception>
    public RouteDecision Next()
    {
        Decision = Decide(_failed | _behind);
        if (Decision.NodeIndex < 0 && WaitsFor is null && _broken != 0)
        {
            // A pooled connection that broke says little about its node, so such nodes are tried once more before the read fails.
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
    /// Gives the attempt up without a failure. Either the node has not replayed what the read must include, although it may while the read
    /// waits. Or the session cannot stay on the node unless its position is known.
    /// </summary>
    public void GiveUp(ConnectionCheck check, Activity? activity)
    {
        RouteActivity.GiveUp(activity, check);
        _mayNotStay |= Decision.Stays;
        if (check == ConnectionCheck.Position) _behind |= 1UL << Decision.NodeIndex;

        // If the check only concerned the connection's target, the connection leads to another cluster, or for the second time not to the
        // primary.
        if (check == ConnectionCheck.Identify || (check == ConnectionCheck.Unverified && _isVerified)) _failed |= 1UL << Decision.NodeIndex;
        _isVerified |= check == ConnectionCheck.Unverified;
    }

    /// <summary>
    /// Whether lost writes of the session must be checked before the statement is sent. The reads of a single node share the pool of its
    /// writes, and a statement is not sent twice there.
    /// </summary>
    public readonly bool MustVerifyFirst => _cluster.IsAlone && _request.Session is { HasPositions: true };

    /// <summary>Returns what the connection must prove before its rows are used, or <see langword="null"/> if nothing.</summary>
    public readonly ReadProof? ProofOf(ConnectionCheck check)
    {
        var (node, identifier) = (Decision.State, Decision.Snapshot.SystemIdentifier);
        return check switch
        {
            ConnectionCheck.Position => new ReadProof(_cluster, node, Decision.MustShow, Epoch: null, OnPrimary: false, identifier),
            ConnectionCheck.Epoch =>
                new ReadProof(_cluster, node, Decision.MustInclude is null
                ? null : Decision.MustShow, Decision.StayEpoch, OnPrimary: false, identifier),

            // Outside a session, no read depends on an earlier one, so a plain statement is sent without a check. The driver sends the
            // later statements of a synchronous batch from the thread pool, which callers may have exhausted.
            ConnectionCheck.Identify when _request.Session is null && !node.IsPooled => null,
            ConnectionCheck.Identify => new ReadProof(_cluster, node, Position: null, Epoch: null, OnPrimary: false, identifier),
            ConnectionCheck.Unverified when !_cluster.IsAlone => new ReadProof(
                _cluster, node, Position: null, _request.Session is { HasPositions: true } && !_isVerified
                    ? node.Epoch : null, OnPrimary: true, identifier),
            _ => null,
        };
    }

    /// <summary>
    /// The position to wait for, if the read would fall back to the primary because no replica can serve it, or would fail because the
    /// named node cannot, and it has not waited yet. Otherwise <see langword="null"/>; also <see langword="null"/> if the caller cannot
    /// wait.
    /// </summary>
    public readonly WalPosition? WaitsFor =>
        MayWait && !_hasWaited && (Decision.Reason == RouteReason.NoReplicaCanServe || LacksNamed) ? Decision.MustInclude : null;

    private readonly bool LacksNamed => Decision.NodeIndex < 0 && _request.OnNode is not null && !_isMoved;

    /// <summary>
    /// Records that the read has waited. If a replica has caught up, all replicas are evaluated by their positions again.
    /// </summary>
    public void Waited(bool caughtUp) => (_hasWaited, _behind) = (true, caughtUp ? 0 : _behind);

    /// <summary>
    /// Handles a failure. Returns <see langword="true"/> to make another attempt, or <see langword="false"/> if the caller gets the
    /// failure.
    /// </summary>
    /// <param name="failure">The failure.</param>
    /// <param name="isOpen">Whether the caller's own command failed, on a connection that was open.</param>
    /// <param name="mayHaveWritten">Whether the caller's command was sent on a connection that may not be read-only.</param>
    public bool Absorb(Exception failure, bool isOpen, bool mayHaveWritten = false)
    {
        // No node was selected, so no node has to be excluded.
        if (failure is RoutingException || Decision.Node is null) return false;

        switch (ReadFailures.Classify(failure, Decision.IsReplica, isOpen))
        {
            // A command that may have written is safe to send again only if the server itself reported that the statement failed.
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

    /// <summary>Returns the requirement of a consistency level without a session. Nothing was written that a read could miss.</summary>
    public static ReadRequirement Outside(Consistency consistency) =>
        consistency.Demands.HasFlag(ConsistencyDemands.Primary) ? ReadRequirement.Primary(RouteReason.StrongConsistency) : default;

    // The position that a session needs in order to stay on its node may be lost with that node. Then only the primary can serve, as it can
    // serve any read.
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
        Log.RetriedOnPrimary(_cluster.Logger, Decision.Node, ((PostgresException)failure).SqlState);
    }
}
