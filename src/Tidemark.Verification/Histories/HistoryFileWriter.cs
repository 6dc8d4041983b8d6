using System.Globalization;
using static System.FormattableString;

namespace Tidemark.Verification;

/// <summary>Writes a history line by line.</summary>
internal sealed class HistoryFileWriter(HistoryColumns columns, TextWriter writer)
{
    private long _records;

    public void Write()
    {
        writer.Write(Invariant($"{HistoryFileReader.Head} {columns.TicksPerSecond}\n"));
        foreach (var node in columns.Nodes) Line($"node {node}");
        foreach (var client in columns.Clients) Line($"client{(client is null ? "" : $" {client}")}");
        foreach (var fork in columns.Forks)
        {
            var notBefore = fork.NotBefore == long.MinValue ? "" : Invariant($" {fork.NotBefore}");
            Line($"fork {fork.Parent} {fork.Child} {fork.AtRank}{notBefore}");
        }

        for (var i = 0; i < columns.Operations.Count; i++) Operation(columns.Operations[i]);
        foreach (var handOver in columns.HandOvers)
            Line($"hand-over {handOver.From} {handOver.To} {handOver.ExportedAt} {handOver.ImportedAt}");
        foreach (var loss in columns.Losses) Line($"loss {loss.Client} {loss.Time}");
        foreach (var settled in columns.Settlements) Line($"settled {settled.Value} {settled.Time}");
        for (var i = 0; i < columns.Commits.Count; i++)
        {
            var commit = columns.Commits[i];
            Line($"commit {columns.Keys[commit.Key]} {commit.Version} {commit.Value} {commit.Timeline} {commit.Rank}");
        }

        writer.Write(Invariant($"end {_records}\n"));
        writer.Flush();
    }

    private void Operation(in Operation operation)
    {
        if (operation.IsWrite)
        {
            var outcome = HistoryFileReader.Outcomes[(int)operation.Outcome];
            var (client, key, version) = (operation.Client, columns.Keys[operation.Key], operation.Version);
            Line($"write {client} {operation.Start} {operation.End} {key} {version} {operation.Value} {outcome}");
            return;
        }

        var role = operation.Kind == OperationKind.PrimaryRead ? "primary" : "replica";
        var asks = HistoryFileReader.Asks[(int)operation.Guarantees];
        writer.Write(Invariant($"read {operation.Client} {operation.Start} {operation.End} {operation.Node} {role} {asks} "));
        writer.Write(operation.MaxStaleness < 0 ? "-" : operation.MaxStaleness.ToString(CultureInfo.InvariantCulture));
        for (var i = 0; i < operation.RowCount; i++)
        {
            var row = columns.Rows[operation.FirstRow + i];
            writer.Write(Invariant($" {columns.Keys[row.Key]}:{row.Version}:{row.Value}"));
        }

        Line($"");
    }

    private void Line(FormattableString line)
    {
        writer.Write(Invariant(line));
        writer.Write('\n');
        _records++;
    }
}
