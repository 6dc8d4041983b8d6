using System.Data.Common;

namespace Tidemark;

/// <summary>No node could take a statement, or the one that was asked for cannot run it. Says what was seen of every node.</summary>
public sealed class RoutingException : DbException
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

    internal RoutingException(string message, RouteDecision decision, Exception? innerException = null)
        : base(message, innerException) => Decision = decision;

    /// <summary>The decision behind the failure: each node and why it did not serve.</summary>
    public RouteDecision Decision { get; }

    /// <summary>True when no node was there: the same call can succeed once one is. False when the statement is aimed at the wrong node.</summary>
    public override bool IsTransient => Decision.Node is null;

    internal static RoutingException NoNode(in RouteDecision decision, Exception? last)
    {
        var advice = decision.RequirementText.Contains("primary", StringComparison.Ordinal)
            ? "Start the primary or promote a replica; Tidemark follows within a probe interval (ProbeInterval)."
            : "Start one of the nodes; Tidemark finds it within a probe interval (ProbeInterval).";
        return new RoutingException($"No node can take the statement: {decision.RequirementText}.{decision.RejectedText}\n{advice}", decision, last);
    }

    internal static RoutingException WriteOnReplica(in RouteDecision decision, Exception cause) => new(
        $"The statement writes, but was aimed at '{decision.Node}', which is a {(decision.IsReplica ? "replica" : "node opened for reading")} and takes no writes. " +
        "Leave out the node, or send it through OpenWriteConnection, SaveChanges or ExecuteSql, which go to the primary.",
        decision,
        cause);
}
