namespace Tidemark.Verification;

/// <summary>
/// Checks whether a history keeps every guarantee that its reads required. The guarantees are read-your-writes, monotonic reads, monotonic
/// writes, writes-follow-reads (Terry 1994), a prefix of the WAL in every read, staleness bounds, and a report for every session that lost
/// something in a failover.
/// </summary>
/// <remarks>
/// The checker makes one pass, which is linear in the number of operations except for sorting them by time. Given the ranks of the commits,
/// the verdict on reads on replicas is exact. A history has no violations if and only if one can choose a WAL prefix for each read that
/// explains both what it showed and what it required.
/// </remarks>
public static class HistoryChecker
{
    /// <summary>Checks a history.</summary>
    /// <param name="history">The history.</param>
    /// <returns>The verdict, with the operations that each violation concerns.</returns>
    public static HistoryVerdict Check(History history)
    {
        ArgumentNullException.ThrowIfNull(history);
        return new HistorySweep(history).Run();
    }
}
