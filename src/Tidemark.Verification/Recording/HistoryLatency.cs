namespace Tidemark.Verification;

/// <summary>How long operations took.</summary>
/// <param name="P50Milliseconds">Half took no longer.</param>
/// <param name="P99Milliseconds">99 in 100 took no longer.</param>
public sealed record HistoryLatency(double P50Milliseconds, double P99Milliseconds);
