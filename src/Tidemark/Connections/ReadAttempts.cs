using Microsoft.Extensions.Logging;
using Npgsql;

namespace Tidemark;

/// <summary>
/// The attempts of one read: derives the node anew before each, and says after a failure whether another is worth it. Holds no connection and
/// does no I/O, so that the synchronous and the asynchronous caller share it. A read is repeated before its first row only.
/// </summary>
internal struct ReadAttempts(
    ClusterConnections cluster, ConsistencySession? session, Consistency consistency, string? onNode, int preferred = -1)
{
    private ulong _failed;
    private bool _isMoved;
    private Exception? _last;

    public RouteDecision Decision { get; private set; }

    /// <summary>The statement turned out to write, so it needs a connection that may, and counts as a write of the session.</summary>
    public bool IsWrite { get; private set; }

    /// <summary>What the read asks for now.</summary>
    public readonly ReadRequirement Requirement => _isMoved
        ? ReadRequirement.Primary(RouteReason.RepeatedOnPrimary)
        : (session?.Require(consistency) ?? Outside(consistency)) with { OnNode = onNode };

    /// <summary>The node for the next attempt.</summary>
    /// <exception cref="RoutingException">None is left; says why for each.</exception>
    public RouteDecision Next()
    {
        Decision = cluster.Decide(Requirement, _failed, preferred);
        if (Decision.NodeIndex < 0) throw RoutingException.NoNode(Decision, _last);
        if (cluster.Logger.IsEnabled(LogLevel.Debug)) Log.Routed(cluster.Logger, Decision.ToString());
        return Decision;
    }

    /// <summary>The node did not have what it must include after all.</summary>
    public void Exclude()
    {
        _failed |= 1UL << Decision.NodeIndex;
        cluster.Monitor.Suspect(Decision.NodeIndex);
    }

    /// <summary>Takes note of a failure. True: make the next attempt; false: the failure is the caller's.</summary>
    public bool Absorb(Exception failure)
    {
        // No node was left: nothing to note about one.
        if (failure is RoutingException || Decision.Node is null) return false;

        switch (ReadFailures.Classify(failure, Decision.IsReplica))
        {
            case ReadFailure.NodeLost or ReadFailure.TryAnotherNode when !IsWrite:
                Exclude();
                _last = failure;
                if (cluster.Logger.IsEnabled(LogLevel.Information)) Log.ReadMoved(cluster.Logger, Decision.Node, NodeProbe.Describe(failure));
                return true;

            case ReadFailure.Writes when !IsWrite:
                if (onNode is not null) throw RoutingException.WriteOnReplica(Decision, failure);
                MoveToPrimary(failure);
                IsWrite = true;
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
        consistency.Level == ConsistencyLevel.Strong ? ReadRequirement.Primary(RouteReason.StrongConsistency) : default;

    private void MoveToPrimary(Exception failure)
    {
        _isMoved = true;
        _last = failure;
        Log.RepeatedOnPrimary(cluster.Logger, Decision.Node, (failure as PostgresException)?.SqlState ?? "");
    }
}
