namespace Tidemark.Testing;

/// <summary>The result of <see cref="LocalNode.RejoinAsync"/>.</summary>
/// <param name="Method">How the node became a replica.</param>
/// <param name="Obstacles">Why the cheaper methods failed, one line each; empty if the cheapest method succeeded.</param>
public sealed record RejoinOutcome(RejoinMethod Method, IReadOnlyList<string> Obstacles);
