namespace Tidemark.Testing;

/// <summary>What <see cref="LocalNode.RejoinAsync"/> has done.</summary>
/// <param name="Method">How the node became a replica.</param>
/// <param name="Obstacles">Why the cheaper ways were not enough, one line each; empty when the cheapest was.</param>
public sealed record RejoinOutcome(RejoinMethod Method, IReadOnlyList<string> Obstacles);
