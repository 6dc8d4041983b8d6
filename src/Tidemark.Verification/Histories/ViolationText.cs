namespace Tidemark.Verification;

/// <summary>Produces one sentence for each violation: what was required and what was shown.</summary>
internal sealed class ViolationText(History history)
{
    public string Missed(ViolationKind kind, int index, in Operation read, ReadFit fit, (int Timeline, Mark Mark) missed)
    {
        var required = kind switch
        {
            ViolationKind.ReadYourWrites => "its session had written",
            ViolationKind.Staleness => $"its staleness bound of {Seconds(read.MaxStaleness)} s requires",
            _ => "its session had observed",
        };
        return $"{Name(index)} {Shows(read, fit)}; {required} {Position(missed)}, by operation #{missed.Mark.Operation}.";
    }

    public string Torn(int index, in Operation read)
    {
        List<string> rows = [];
        for (var i = 0; i < read.RowCount; i++)
        {
            var row = history.Columns.Rows[read.FirstRow + i];
            var (shown, next) =
                (history.Versions.Find(row.Key, row.Version, row.Value), history.Versions.Next(row.Key, row.Version, history.Tree.Final));
            var from = shown == VersionTable.None ? "" : $" from {Position(shown)}";
            var without = next == VersionTable.None ? "" : $" but not the next version from {Position(next)}";
            rows.Add($"{Row(row)}{from}{without}");
        }

        return $"{Name(index)} shows rows that no state of the WAL contains together: {string.Join(", ", rows)}.";
    }

    public string OutOfOrder(ViolationKind kind, int write, in CommittedVersion committed, (int Timeline, Mark Mark) missed) =>
        $"{Name(write)} is at {Position((committed.Timeline, new Mark(committed.Rank, write)))}, before {Position(missed)}, which "
            + "its session had "
        + $"{(kind == ViolationKind.MonotonicWrites ? "written" : "observed")} by operation #{missed.Mark.Operation}.";

    public string FailedWriteShown(int index, ShownRow row) => $"{Name(index)} shows {Row(row)}, whose write was reported as failed.";

    public string FailedWriteCommitted(int write) =>
        $"{Name(write)} was reported as failed but is committed at "
        + $"{Position(history.CommittedBy(history.Columns.Operations[write]))}.";

    public string SilentLoss(int index, int timeline, (int Timeline, Mark Mark) lost) =>
        $"{Name(index)} was served from timeline {history.Tree.Number(timeline)}, whose history does not contain {Position(lost)}. "
        + $"{Name(lost.Mark.Operation)} wrote or showed it, and the loss was not reported to the session.";

    // Lists the rows that keep the state of a read from containing more.
    private string Shows(in Operation read, ReadFit fit)
    {
        List<string> rows = [];
        for (var i = 0; i < read.RowCount; i++)
        {
            if (fit.Next[i] == VersionTable.None) continue;
            ref readonly var next = ref history.Versions[fit.Next[i]];
            if (fit.IsPrefix && next.Rank - 1 != fit.High) continue;
            rows.Add($"{Row(history.Columns.Rows[read.FirstRow + i])} but not the next version, from {Position(fit.Next[i])}");
        }

        return rows.Count > 0 ? $"shows {string.Join(", ", rows)}" : $"shows a state of timeline {history.Tree.Number(fit.Timeline)}";
    }

    private string Name(int index)
    {
        ref readonly var operation = ref history.Columns.Operations[index];
        var what = operation.IsWrite
            ? $"write of key {history.Columns.Keys[operation.Key]}" : $"read on {history.Columns.Nodes[operation.Node]}";
        return $"Operation #{index} ({what}, {history.ClientName(operation.Client)}, {operation.Start} to {operation.End})";
    }

    private string Row(ShownRow row) => $"version {row.Version} of key {history.Columns.Keys[row.Key]}";

    private string Position(int version) => Position((history.Versions[version].Timeline, new Mark(history.Versions[version].Rank, 0)));

    private string Position((int Timeline, Mark Mark) position) => position.Timeline == WalTree.Nowhere
        ? "a commit that is not in any WAL"
        : history.Tree.Count == 2
            ? $"rank {position.Mark.Rank}" : $"rank {position.Mark.Rank} of timeline {history.Tree.Number(position.Timeline)}";

    private string Seconds(long ticks) =>
        ((double)ticks / history.Columns.TicksPerSecond).ToString("0.###", System.Globalization.CultureInfo.InvariantCulture);
}
