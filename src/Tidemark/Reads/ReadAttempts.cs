using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Tidemark;

/// <summary>
/// The attempts of one read: derives the node anew before each, and says after a failure whether another is worth it. Holds no connection
/// and
/// does no I/O, so that the synchronous and the asynchronous caller share it. A read is repeated before its first row only.
/// </summary>
internal struct ReadAttempts(
    ClusterConnections cluster, ConsistencySession? session, Consistency consistency, string? onNode, int preferred = -1)
{
    private ulong _failed;
    private ulong _broken;
    private ulong _behind;
    private bool _brokeTwice;
    private bool _isMoved;
    private bool _hasWaited;
    private bool _mayNotStay;
    private bool _isKnownToWrite;
    private bool _isVerified;
    private readonly string? _text;
    private Exception? _last;

    // A node that was named is judged by a position also while something is open that shows more: a sample taken after the read began
    // bounds
    // what was shown before.
    private readonly long _mark = onNode is null || session is null ? 0 : session.NextMark();

    public RouteDecision Decision { get; private set; }

    /// <summary>The session that reads; <see langword="null"/>: none.</summary>
    public readonly ConsistencySession? Session => session;

    /// <summary>The node that was asked for by name; <see langword="null"/>: any.</summary>
    public readonly string? OnNode => onNode;

    /// <summary>
    /// The caller can wait for a replica (<see cref="WaitsFor"/>); a named one is then waited for before there is no node.
    /// </summary>
    public bool MayWait { get; set; }

    /// <summary>What is run may only read: that it turns out to write is an error, and the caller's.</summary>
    public bool MustNotWrite { get; init; }

    /// <summary>Why the primary, where the level asks for it.</summary>
    public RouteReason StrongBecause { get; init; } = RouteReason.StrongConsistency;

    /// <summary>
    /// The text of the statement, so that one that turns out to write is known the next time; <see langword="null"/>: it is not the
    /// caller's.
    /// </summary>
    public string? Text
    {
        readonly get => _text;
        init
        {
            _text = value;
            if (onNode is null && cluster.WritingStatements.Contains(value)) _isKnownToWrite = _isMoved = IsWrite = true;
        }
    }

    // A node that was named is judged by a position where that can be learned: the session may have read on another.
    private readonly bool MayStay => !_mayNotStay && (onNode is null || cluster.Monitor.Snapshot.Primary is null);

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
            var requirement = session?.Require(consistency.Demands, MayStay, _mark, cluster.Monitor.Snapshot.Chain) ?? Outside(consistency);
            if (requirement.PrimaryBecause == RouteReason.StrongConsistency)
                requirement = requirement with { PrimaryBecause = StrongBecause };
            return requirement with { OnNode = onNode, MaxStaleness = consistency.MaxStaleness,
                CompleteSince = cluster.CompleteSince(consistency.MaxStaleness) };
        }
    }

    /// <summary>The mark up to which a sample of the primary is wanted before the next attempt; <see langword="null"/>: none is.</summary>
    public readonly long? NeedsSample =>
        _isMoved || session is null || cluster.Monitor.Snapshot is not { Primary: not null } snapshot
            ? null
            : session.NeedsSample(consistency.Demands, snapshot, MayStay, _mark);

    /// <summary>The node for the next attempt.</summary>
    /// <exception cref="RoutingException">None is left; says why for each.</exception>
    public RouteDecision Next()
    {
        Decision = cluster.Decide(Requirement, _failed | _behind, preferred, session?.Affinity);
        if (Decision.NodeIndex < 0 && WaitsFor is null && _broken != 0)
        {
            // A pooled connection that broke says little about its node: before the read fails, such nodes are tried once more.
            (_failed, _broken) = (_failed & ~_broken, 0);
            _brokeTwice = true;
            Decision = cluster.Decide(Requirement, _failed | _behind, preferred, session?.Affinity);
        }

        if (Decision.NodeIndex < 0 && WaitsFor is null) throw RoutingException.NoNode(Decision.Among(_failed), _last);
        if (_hasWaited && Decision.Reason == RouteReason.ReplicaHasPosition) Decision = Decision.Because(RouteReason.ReplicaCaughtUp);
        if (cluster.Logger.IsEnabled(LogLevel.Debug)) Log.Routed(cluster.Logger, Decision.ToString());
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
    public readonly bool MustVerifyFirst => cluster.IsAlone && session is { IsSomewhere: true };

    /// <summary>What the connection must show before its rows are believed; <see langword="null"/>: nothing.</summary>
    public readonly ReadProof? ProofOf(ConnectionCheck check)
    {
        var (node, identifier) = (Decision.State, Decision.Snapshot.SystemIdentifier);
        return check switch
        {
            ConnectionCheck.Position => new ReadProof(cluster, node, Decision.MustShow, Epoch: null, OnPrimary: false, identifier),
            ConnectionCheck.Epoch =>
                new ReadProof(cluster, node, Decision.MustInclude is null
                ? null : Decision.MustShow, Decision.StayEpoch, OnPrimary: false, identifier),

            // Outside a session no read depends on the one before. A plain statement then stays plain: the driver sends the later
            // statements of a
            // synchronous batch from the thread pool, which callers may have exhausted.
            ConnectionCheck.Learn when session is null && !node.IsPooled => null,
            ConnectionCheck.Learn => new ReadProof(cluster, node, Position: null, Epoch: null, OnPrimary: false, identifier),
            ConnectionCheck.Unverified when !cluster.IsAlone => new ReadProof(
                cluster, node, Position: null, session is { IsSomewhere: true } && !_isVerified
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

    private readonly bool LacksNamed => Decision.NodeIndex < 0 && onNode is not null && !_isMoved;

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
                cluster.Monitor.Suspect(Decision.NodeIndex);
                return false;

            case ReadFailure.NodeLost or ReadFailure.TryAnotherNode when !IsWrite:
                Exclude(isBroken: isOpen);
                _last = failure;
                if (cluster.Logger.IsEnabled(LogLevel.Information))
                    Log.ReadMoved(cluster.Logger, Decision.Node, NodeProbe.Describe(failure));
                return true;

            case ReadFailure.NodeFault when !IsWrite && CanServeElsewhere():
                _mayNotStay |= Decision.Stays;
                _failed |= 1UL << Decision.NodeIndex;
                _last = failure;
                if (cluster.Logger.IsEnabled(LogLevel.Information))
                    Log.ReadMoved(cluster.Logger, Decision.Node, NodeProbe.Describe(failure));
                return true;

            case ReadFailure.Writes when !IsWrite && !MustNotWrite:
                if (onNode is not null)
                {
                    Refusal = RoutingException.WriteOnReplica(Decision, failure);
                    return false;
                }

                MoveToPrimary(failure);
                IsWrite = true;
                cluster.WritingStatements.Note(_text);
                return true;

            case ReadFailure.NeedsPrimary when !_isMoved && onNode is null:
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
        cluster.Decide(Requirement, _failed | _behind | (1UL << Decision.NodeIndex), preferred, session?.Affinity).NodeIndex >= 0;

    private void Exclude(bool isBroken)
    {
        if (isBroken && !_brokeTwice) _broken |= 1UL << Decision.NodeIndex;
        _mayNotStay |= Decision.Stays;
        _failed |= 1UL << Decision.NodeIndex;
        cluster.Monitor.Suspect(Decision.NodeIndex);
    }

    private void MoveToPrimary(Exception failure)
    {
        _isMoved = true;
        _last = failure;
        Log.RepeatedOnPrimary(cluster.Logger, Decision.Node, ((PostgresException)failure).SqlState);
    }
}
