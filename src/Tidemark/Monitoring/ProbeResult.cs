namespace Tidemark;

/// <summary>What one probe brought.</summary>
/// <param name="Answer">What the node reported of itself, or why it did not.</param>
/// <param name="ArrivedAt">The monotonic time at which the answer was read.</param>
/// <param name="Ended">What of that which was asked for has ended; empty if nothing was asked for, or the node did not answer.</param>
internal readonly record struct ProbeResult(ProbeAnswer Answer, long ArrivedAt, Unsettled Ended);
