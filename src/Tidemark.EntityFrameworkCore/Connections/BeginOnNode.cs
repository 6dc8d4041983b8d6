namespace Tidemark;

/// <summary>Begins an operation on the node of a decision, and returns what the caller receives.</summary>
/// <param name="node">The open connection to the node; <see langword="null"/> if the context's main connection leads there.</param>
/// <param name="decision">The node, and why it was chosen.</param>
/// <param name="isAsync">If <see langword="false"/>, runs synchronously.</param>
/// <param name="cancellationToken">Cancels the operation.</param>
internal delegate ValueTask<T> BeginOnNode<T>(
    NodeConnection? node, RouteDecision decision, bool isAsync, CancellationToken cancellationToken);
