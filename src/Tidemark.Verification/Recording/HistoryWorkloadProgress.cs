namespace Tidemark.Verification;

/// <summary>Where a workload stands.</summary>
/// <param name="Elapsed">Since it began.</param>
/// <param name="Operations">Operations that ended, well or not.</param>
/// <param name="FailedReads">Reads that were not answered.</param>
public sealed record HistoryWorkloadProgress(TimeSpan Elapsed, long Operations, long FailedReads);
