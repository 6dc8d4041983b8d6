namespace Tidemark;

/// <summary>What one run of a query requires.</summary>
/// <param name="Consistency">What the node must contain.</param>
/// <param name="Node">The node on which it must run; <see langword="null"/> for any.</param>
/// <param name="StrongBecause">The reason for the primary, if the level requires the primary.</param>
internal readonly record struct QueryRequest(Consistency Consistency, string? Node, RouteReason StrongBecause)
{
    public bool IsOnNode => Node is not null;
}
