namespace Tidemark;

/// <summary>Begins an operation on the node of a decision, and returns what the caller receives.</summary>
/// <param name="node">The open connection to the node; <see langword="null"/> if the context's main connection leads there.</param>
/// <param name="decision">The node, and why it was chosen.</param>
/// <param name="io">How to wait.</param>
/// <param name="cancellationToken">Cancels the operation.</param>
internal delegate ValueTask<T> BeginOnNode<T>(
    NodeConnection? node, RouteDecision decision, IoMode io, CancellationToken cancellationToken);
