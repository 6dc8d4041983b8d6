namespace Tidemark;

/// <summary>A node that was rejected for a statement, and why.</summary>
/// <param name="Node">The name of the node.</param>
/// <param name="Reason">The reason for the rejection.</param>
/// <param name="Detail">The reason as text, with figures.</param>
public sealed record NodeRejection(string Node, RejectionReason Reason, string Detail);
