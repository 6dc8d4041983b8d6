using Npgsql;

namespace Tidemark;

/// <summary>
/// Thrown if no node can run a statement, or if the requested node cannot run it. The message gives the state of every node.
/// </summary>
/// <remarks>
/// The exception is an <see cref="NpgsqlException"/>, so error handling and retry policies for a single server apply to it.
/// </remarks>
public sealed class RoutingException : NpgsqlException
{
    /// <summary>Creates an exception without a decision.</summary>
    public RoutingException()
    {
    }

    /// <summary>Creates an exception without a decision.</summary>
    public RoutingException(string message)
        : base(message)
    {
    }

    /// <summary>Creates an exception without a decision.</summary>
    public RoutingException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    private RoutingException(string message, RouteDecision decision, bool isTransient, Exception? innerException = null)
        : base(message, innerException)
    {
        Decision = decision;
        IsTransient = isTransient;
    }

    /// <summary>The decision that led to the failure, with the reason why each node was rejected.</summary>
    public RouteDecision Decision { get; }

    /// <summary>
    /// <see langword="true"/> if no node was available, so the same call can succeed later. <see langword="false"/> if the statement was
    /// sent to the wrong node.
    /// </summary>
    public override bool IsTransient { get; }

    internal static RoutingException NoNode(in RouteDecision decision, Exception? last)
    {
        var advice = decision.NeedsPrimary
            ? "Start the primary or promote a replica. Tidemark detects it within one probe interval (ProbeInterval)."
            : decision.OnNode is { } node ? $"The read cannot leave '{node}', and waits at most ReadWait for it to replay what the read "
                + "must include. Remove the node name to let another node serve the read."
            : "Start one of the nodes. Tidemark detects it within one probe interval (ProbeInterval).";
        return new RoutingException(
            $"No node can run the statement: {decision.RequirementText}.{decision.RejectedText}\n{advice}",
            decision,
            isTransient: true,
            last);
    }

    internal static RoutingException NoLongerPrimary(in RouteDecision decision, string node) => new(
        $"'{node}' was chosen for this write, but reports that it is a standby. Nothing was sent. " +
        "Retry the call: Tidemark detects the new primary within one probe interval (ProbeInterval).",
        decision,
        isTransient: true);

    internal static RoutingException NotThePrimary(in RouteDecision decision, NodeState node, ClusterSnapshot snapshot)
    {
        var why = node.Status switch
        {
            ConcludedStatus.Replica => "is a replica",
            ConcludedStatus.Primary => "does not accept writes",
            _ => $"does not serve: {StatusText.Of(node, snapshot)}",
        };
        var primary = decision.Node is { } name ? $"The primary is '{name}'." : $"No primary is available.{decision.RejectedText}";
        return new RoutingException(
            $"The connection leads to '{node.Name}', which {why}. Nothing was sent. {primary}\n" +
            "Create a new connection (CreateConnection, OpenWriteConnection, or a new DbContext). It leads to the current primary.",
            decision,
            isTransient: true);
    }

    internal static RoutingException NotReopened(string node, RoutingException why) => new(
        $"The read connection leads to '{node}', which cannot serve the session now. Nothing was sent. {why.Message}\n" +
        "Open a new connection with OpenReadConnection. It leads to a node that can serve the session.",
        why.Decision,
        why.IsTransient,
        why);

    internal static RoutingException RoleChanged(in RouteDecision decision, string node) => new(
        $"'{node}' no longer has the role that it had when it was last probed.", decision, isTransient: true);

    internal static RoutingException WriteAimedAt(string node, in RouteDecision decision)
    {
        var primary = decision.Node is { } name ? $" The primary is '{name}'." : "";
        return new RoutingException(
            $"The statement writes, but was directed to '{node}', which does not accept writes.{primary} Nothing was sent. " +
            "Remove OnNode: writes go to the primary.",
            decision,
            isTransient: false);
    }

    internal static RoutingException WriteOnReplica(in RouteDecision decision, Exception cause)
    {
        var why = decision.IsReplica ? ", which is a replica and does not accept writes" : "";
        return new RoutingException(
            $"The statement writes, but was directed to '{decision.Node}' for reading{why}. " +
            "Remove the node name, or run the statement with OpenWriteConnection, SaveChanges or ExecuteSql, which go to the primary.",
            decision,
            isTransient: false,
            cause);
    }
}
