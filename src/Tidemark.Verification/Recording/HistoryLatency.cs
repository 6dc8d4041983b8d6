namespace Tidemark.Verification;

/// <summary>Durations of operations.</summary>
/// <param name="P50Milliseconds">Median duration, in milliseconds.</param>
/// <param name="P99Milliseconds">99th percentile of the durations, in milliseconds.</param>
public sealed record HistoryLatency(double P50Milliseconds, double P99Milliseconds);
