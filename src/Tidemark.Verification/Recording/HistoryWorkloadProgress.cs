namespace Tidemark.Verification;

/// <summary>The progress of a workload.</summary>
/// <param name="Elapsed">Time since the workload began.</param>
/// <param name="Operations">Number of operations that have ended, successfully or not.</param>
/// <param name="FailedReads">Number of reads that failed.</param>
public sealed record HistoryWorkloadProgress(TimeSpan Elapsed, long Operations, long FailedReads);
