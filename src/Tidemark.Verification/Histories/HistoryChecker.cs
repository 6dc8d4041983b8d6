namespace Tidemark.Verification;

/// <summary>
/// Judges whether a history keeps every promise that its reads asked for: read-your-writes, monotonic reads, monotonic writes,
/// writes-follow-reads (Terry 1994), a prefix of the WAL in every read, bounds of staleness, and a word for every session that lost
/// something in a failover.
/// </summary>
/// <remarks>
/// One pass, linear in the number of operations but for sorting them by time. Given the ranks of the commits, the verdict on reads on
/// replicas is exact: there is no violation if and only if some choice of one prefix of the WAL for each read explains what it showed and
/// what it asked for.
/// </remarks>
public static class HistoryChecker
{
    /// <summary>Judges a history.</summary>
    /// <param name="history">The history.</param>
    /// <returns>What was found, each violation with the operations it concerns.</returns>
    public static HistoryVerdict Check(History history)
    {
        ArgumentNullException.ThrowIfNull(history);
        return new HistorySweep(history).Run();
    }
}
