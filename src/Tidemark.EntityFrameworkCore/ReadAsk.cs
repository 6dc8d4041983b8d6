namespace Tidemark;

/// <summary>What one run of a query asks for.</summary>
/// <param name="Consistency">What its node must contain.</param>
/// <param name="Node">The node it must run on; <see langword="null"/>: any.</param>
/// <param name="StrongBecause">Who asks for the primary, where the level does.</param>
internal readonly record struct ReadAsk(Consistency Consistency, string? Node, RouteReason StrongBecause)
{
    public bool IsOnNode => Node is not null;
}
