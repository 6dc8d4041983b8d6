namespace Tidemark;

/// <summary>One command, and where it would have run in production.</summary>
/// <param name="Decision">The node, why it, and why not another.</param>
/// <param name="CommandText">The SQL as it was sent.</param>
/// <param name="IsQuery">It is a query; otherwise it is a write.</param>
public sealed record RecordedRoute(RouteDecision Decision, string CommandText, bool IsQuery)
{
    /// <summary>The name of the node.</summary>
    public string? Node => Decision.Node;

    /// <summary>What the node plays.</summary>
    public NodeRole Role => Decision.Role;

    /// <summary>Why this node.</summary>
    public RouteReason Reason => Decision.Reason;

    /// <summary>The decision in one line, and the SQL below it.</summary>
    public override string ToString() => $"{Decision.Summary}\n{CommandText}";
}
