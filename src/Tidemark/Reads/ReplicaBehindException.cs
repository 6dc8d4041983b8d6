namespace Tidemark;

/// <summary>
/// The node did not show what the read needs; the attempt is given up. A cancellation, so that EF Core notes it as one and logs no error
/// for what the next
/// attempt mends. It never reaches the caller.
/// </summary>
#pragma warning disable CA1032, CA1064 // Nobody else makes or catches it.
internal sealed class ReplicaBehindException() : OperationCanceledException("The replica has not replayed what the read must include.");
