namespace Tidemark;

/// <summary>The result of one probe.</summary>
/// <param name="Answer">The facts that the node reported, or why it did not respond.</param>
/// <param name="ArrivedAt">Monotonic time at which the response was read.</param>
/// <param name="Ended">
/// The requested backends and transactions that have ended. Empty if none were requested, or the node did not respond.
/// </param>
internal readonly record struct ProbeResult(ProbeAnswer Answer, long ArrivedAt, Unsettled Ended);
