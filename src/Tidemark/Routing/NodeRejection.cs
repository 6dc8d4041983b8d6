namespace Tidemark;

/// <summary>A node that did not get a statement, and why.</summary>
/// <param name="Node">The name of the node.</param>
/// <param name="Reason">Why not.</param>
/// <param name="Detail">Why not, in words and with figures.</param>
public sealed record NodeRejection(string Node, RejectionReason Reason, string Detail);
