using Npgsql;

namespace Tidemark;

/// <summary>No node could take a statement, or the one that was asked for cannot run it. Says what was seen of every node.</summary>
/// <remarks>
/// It is an <see cref="NpgsqlException"/>, so that error handling and retry policies written for a single server cover it.
/// </remarks>
public sealed class RoutingException : NpgsqlException
{
    /// <summary>An exception without a decision.</summary>
    public RoutingException()
    {
    }

    /// <summary>An exception without a decision.</summary>
    public RoutingException(string message)
        : base(message)
    {
    }

    /// <summary>An exception without a decision.</summary>
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

    /// <summary>The decision behind the failure: each node and why it did not serve.</summary>
    public RouteDecision Decision { get; }

    /// <summary>
    /// True when no node was there: the same call can succeed once one is. False when the statement is aimed at the wrong node.
    /// </summary>
    public override bool IsTransient { get; }

    internal static RoutingException NoNode(in RouteDecision decision, Exception? last)
    {
        var advice = decision.NeedsPrimary
            ? "Start the primary or promote a replica; Tidemark follows within a probe interval (ProbeInterval)."
            : decision.OnNode is { } node ? $"The read never moves off '{node}'. It waits for it to replay what it must include "
                + "(ReadWait); leave out the node to read where that is."
            : "Start one of the nodes; Tidemark finds it within a probe interval (ProbeInterval).";
        return new RoutingException(
            $"No node can take the statement: {decision.RequirementText}.{decision.RejectedText}\n{advice}", decision, isTransient: true,
                last);
    }

    internal static RoutingException NoLongerPrimary(in RouteDecision decision, string node) => new(
        $"'{node}' was to take this write, but answers as a standby. Nothing was sent. " +
        "Repeat the call: Tidemark follows the new primary within a probe interval (ProbeInterval).",
        decision,
        isTransient: true);

    internal static RoutingException NotThePrimary(in RouteDecision decision, NodeState node, ClusterSnapshot snapshot)
    {
        var why = node.Status switch
        {
            ConcludedStatus.Replica => "is a replica",
            ConcludedStatus.Primary => "takes no writes",
            _ => $"does not serve: {StatusText.Of(node, snapshot)}",
        };
        var primary = decision.Node is { } name ? $"The primary is '{name}'." : $"There is no primary.{decision.RejectedText}";
        return new RoutingException(
            $"The connection leads to '{node.Name}', which {why}. Nothing was sent. {primary}\n" +
            "Create the connection again (CreateConnection, OpenWriteConnection, or a new DbContext): it then leads to the primary of "
                + "that moment.",
            decision,
            isTransient: true);
    }

    internal static RoutingException NotReopened(string node, RoutingException why) => new(
        $"The connection for reading leads to '{node}', which cannot serve the session now. Nothing was sent. {why.Message}\n" +
        "Open a new connection with OpenReadConnection: it leads to a node that can serve.",
        why.Decision,
        why.IsTransient,
        why);

    internal static RoutingException RoleChanged(in RouteDecision decision, string node) => new(
        $"'{node}' answers in another role than it had when it was last probed.", decision, isTransient: true);

    internal static RoutingException WriteAimedAt(string node, in RouteDecision decision) => new(
        $"The statement writes, but was aimed at '{node}', which takes no writes{(decision.Node is { } primary ? $": the primary is '{primary}'" : "")}. Nothing was sent. " +
        "Leave out OnNode: writes find the primary.",
        decision,
        isTransient: false);

    internal static RoutingException WriteOnReplica(in RouteDecision decision, Exception cause) => new(
        $"The statement writes, but was aimed at '{decision.Node}' for reading{(decision.IsReplica ? ", which is a replica and takes no writes" : "")}. " +
        "Leave out the node, or send it through OpenWriteConnection, SaveChanges or ExecuteSql, which go to the primary.",
        decision,
        isTransient: false,
        cause);
}
