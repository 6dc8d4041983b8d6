namespace Tidemark;

/// <summary>
/// Ends an attempt on a node that did not prove what the read needs. It is a cancellation, so that EF Core does not log an error for
/// something that the next attempt fixes. It never reaches the caller.
/// </summary>
#pragma warning disable CA1032, CA1064 // Only this project creates and catches it.
internal sealed class ReplicaBehindException() : OperationCanceledException("The replica has not replayed what the read must include.");
