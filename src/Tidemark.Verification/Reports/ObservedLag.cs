namespace Tidemark.Verification;

/// <summary>
/// The observed lag of a replica at the start of a read. It is the age of the oldest commit of the final history that was acknowledged by
/// then, and that the read does not show among its keys. The replica lagged by at least this time. A read of keys without such commits
/// provides no lag.
/// </summary>
internal readonly record struct ObservedLag(int Node, double At, double Seconds)
{
    /// <summary>Returns the lags of all reads on replicas, in the order in which they were recorded.</summary>
    public static IEnumerable<ObservedLag> Of(History history, ReportClock clock)
    {
        for (var i = 0; i < history.OperationCount; i++)
        {
            var read = history.Columns.Operations[i];
            if (read.Kind != OperationKind.ReplicaRead) continue;
            var missed = read.Start;
            for (var row = 0; row < read.RowCount; row++)
            {
                var shown = history.Columns.Rows[read.FirstRow + row];
                var next = history.Versions.Next(shown.Key, shown.Version, history.Tree.Final);
                if (next != VersionTable.None) missed = Math.Min(missed, history.AcknowledgedAt(next));
            }

            yield return new ObservedLag(read.Node, clock.Seconds(read.Start), clock.Seconds(read.Start) - clock.Seconds(missed));
        }
    }
}
