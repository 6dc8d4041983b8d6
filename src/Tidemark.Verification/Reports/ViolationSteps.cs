namespace Tidemark.Verification;

/// <summary>Describes the scene of a violation step by step, with the numbers of its picture.</summary>
internal sealed class ViolationSteps(History history, ViolationScene scene, ReportClock clock, HtmlText html)
{
    public void Write()
    {
        html.Line($"<ol class=\"steps\">");
        var reported =
            scene.Steps.Select((index, i) => (history.Columns.Operations[index].Start, Write: (Action)(() => WriteStep(i + 1, index))))
            .Concat(scene.HandOvers.Select(handOver => (Start: handOver.ImportedAt, Write: (Action)(() => WriteHandOver(handOver)))))
            .Concat(scene.Forks.Select(fork => (Start: fork.NotBefore, Write: (Action)(() => WriteFork(fork)))));
        foreach (var (_, write) in reported.OrderBy(step => step.Start)) write();
        html.Line($"</ol>");
    }

    /// <summary>Describes an operation in one sentence.</summary>
    public static string Describe(History history, int index)
    {
        var operation = history.Columns.Operations[index];
        var client = history.ClientName(operation.Client);
        if (!operation.IsWrite)
            return $"{client} reads {Rows(history, operation)} on {history.Columns.Nodes[operation.Node]}"
                + $"{(operation.Kind == OperationKind.PrimaryRead ? ", the primary" : "")}";
        var outcome = operation.Outcome switch
        {
            HistoryOutcome.Acknowledged => "acknowledged",
            HistoryOutcome.Failed => "reported as failed",
            _ => "unknown outcome",
        };
        var version = history.CommittedBy(operation);
        var position = version == VersionTable.None
            ? "not in any WAL"
            : $"rank {history.Versions[version].Rank}"
                + (history.Tree.Count > 2 ? $" of timeline {history.Tree.Number(history.Versions[version].Timeline)}" : "");
        return $"{client} writes version {operation.Version} of key {history.Columns.Keys[operation.Key]}: {outcome}, {position}";
    }

    private void WriteStep(int number, int index)
    {
        var operation = history.Columns.Operations[index];
        var isCulprit = index == scene.Violation.Operation;
        var chip = operation.IsWrite ? "write" : $"n{operation.Node % 8}";
        var span = ReportClock.Span(clock.Seconds(operation.End) - clock.Seconds(operation.Start));
        html.Add($"<li><b class=\"step-number\">{number}</b><time>{clock.Text(operation.Start)}, {span}</time> "
            + $"<i class=\"chip {chip}\"></i><span class=\"{(isCulprit ? "here" : "")}\">{Describe(history, index)}</span>");
        if (isCulprit && !operation.IsWrite) WriteMissed(operation);
        html.Line($"</li>");
    }

    private void WriteMissed(Operation read)
    {
        for (var i = 0; i < read.RowCount; i++)
        {
            var row = history.Columns.Rows[read.FirstRow + i];
            var next = history.Versions.Next(row.Key, row.Version, history.Tree.Final);
            if (next == VersionTable.None || history.AcknowledgedAt(next) >= read.Start) continue;
            var age = ReportClock.Span(clock.Seconds(read.Start) - clock.Seconds(history.AcknowledgedAt(next)));
            html.Add($"; version {history.Versions[next].Version} of key {history.Columns.Keys[row.Key]} "
                + $"had been acknowledged {age} earlier");
        }
    }

    private void WriteHandOver(HandOverRecord handOver) => html.Line(
        $"<li><b class=\"step-number\">→</b><time>{clock.Text(handOver.ImportedAt)}</time> {history.ClientName(handOver.To)} continues "
            + $"the session of {history.ClientName(handOver.From)} as of {clock.Text(handOver.ExportedAt)}</li>");

    private void WriteFork(ForkRecord fork) => html.Line(
        $"<li><b class=\"step-number here\">|</b><time>{clock.Text(fork.NotBefore)}</time> "
            + $"history continues without what timeline {(long)fork.Parent} contains after rank {fork.AtRank}</li>");

    private static string Rows(History history, Operation read) => string.Join(
        ", ", Enumerable.Range(read.FirstRow, read.RowCount).Select(i => history.Columns.Rows[i])
            .Select(row => $"version {row.Version} of key {history.Columns.Keys[row.Key]}"));
}
