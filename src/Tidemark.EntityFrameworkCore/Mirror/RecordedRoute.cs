namespace Tidemark;

/// <summary>A recorded command, and where it would have run in production.</summary>
/// <param name="Decision">The node, why it was chosen, and why the others were not.</param>
/// <param name="CommandText">The SQL as it was sent.</param>
/// <param name="IsQuery">Whether the command is a query; otherwise it is a write.</param>
public sealed record RecordedRoute(RouteDecision Decision, string CommandText, bool IsQuery)
{
    /// <summary>The name of the node.</summary>
    public string? Node => Decision.Node;

    /// <summary>The role that the node plays.</summary>
    public NodeRole Role => Decision.Role;

    /// <summary>Why this node was chosen.</summary>
    public RouteReason Reason => Decision.Reason;

    /// <summary>Returns the decision in one line, followed by the SQL.</summary>
    public override string ToString() => $"{Decision.Summary}\n{CommandText}";
}
