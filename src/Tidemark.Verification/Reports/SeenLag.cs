namespace Tidemark.Verification;

/// <summary>
/// How far behind a replica was seen to be: the age, at the start of a read there, of the oldest commit of final history that had been
/// acknowledged by then and that the read does not show, among the keys that it read. The replica was at least so far behind; a read of
/// keys that nobody wrote tells nothing.
/// </summary>
internal readonly record struct SeenLag(int Node, double At, double Seconds)
{
    /// <summary>All reads on replicas, in the order in which they were recorded.</summary>
    public static IEnumerable<SeenLag> Of(History history, ReportClock clock)
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

            yield return new SeenLag(read.Node, clock.Seconds(read.Start), clock.Seconds(read.Start) - clock.Seconds(missed));
        }
    }
}
