using System.Globalization;
using static System.FormattableString;

namespace Tidemark.Testing;

/// <summary>
/// Histories for other checkers, for a second opinion: each write is a transaction of its own, and so is each read. <c>docs/histories.md</c> says how to run
/// them, and what their formats cannot say.
/// </summary>
public static class HistoryExport
{
    /// <summary>Writes a history as the text that Plume and AWDIT read: <c>r(key,value,session,transaction)</c>, with 0 for the value in the beginning.</summary>
    /// <param name="history">The history. It has one timeline, no negative key, and positive values only.</param>
    /// <param name="writer">Where to.</param>
    /// <exception cref="NotSupportedException">The format cannot hold this history.</exception>
    public static void WritePlume(History history, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(history);
        ArgumentNullException.ThrowIfNull(writer);
        if (history.Columns.Keys.Any(key => key < 0)) throw new NotSupportedException("Plume's format knows no negative keys.");
        var lanes = new SessionLanes(history);
        foreach (var index in lanes.ByStart)
        {
            var operation = history.Columns.Operations[index];
            if (!operation.IsWrite)
            {
                for (var i = 0; i < operation.RowCount; i++)
                {
                    var row = history.Columns.Rows[operation.FirstRow + i];
                    Line(writer, $"r({history.Columns.Keys[row.Key]},{(row.Version == 0 ? 0 : row.Value)},{lanes[index]},{index})");
                }
            }
            else if (operation.Value <= 0)
            {
                throw new NotSupportedException($"In Plume's format 0 is the value in the beginning, and no value is negative: operation #{index} writes {operation.Value}.");
            }
            else if (operation.Outcome == HistoryOutcome.Failed)
            {
                Line(writer, $"w({history.Columns.Keys[operation.Key]},{operation.Value},{lanes[index]},-1)");
            }
            else if (operation.Outcome == HistoryOutcome.Acknowledged || history.CommittedBy(operation) != VersionTable.None)
            {
                Line(writer, $"w({history.Columns.Keys[operation.Key]},{operation.Value},{lanes[index]},{index})");
            }
        }
    }

    /// <summary>Writes a history as Elle's list-append in EDN, one operation map to a line: a write appends its value, a read of version v shows the first v values.</summary>
    /// <param name="history">The history. It has one timeline; each read repeats all values of its keys, so that keys with many versions make it large.</param>
    /// <param name="writer">Where to.</param>
    /// <exception cref="NotSupportedException">The history has a fork.</exception>
    public static void WriteElle(History history, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(history);
        ArgumentNullException.ThrowIfNull(writer);
        var lanes = new SessionLanes(history);
        var operations = history.Columns.Operations;
        var byEnd = TimeOrder.Of(operations.Count, i => operations[i].End);
        var (start, end) = (0, 0);
        for (var line = 0; line < 2 * operations.Count; line++)
        {
            // Within one tick everything starts before anything ends, as for our own checker.
            var isStart = start < operations.Count && operations[lanes.ByStart[start]].Start <= operations[byEnd[end]].End;
            var index = isStart ? lanes.ByStart[start++] : byEnd[end++];
            var operation = operations[index];
            var type = isStart ? ":invoke" : operation switch
            {
                { IsWrite: true, Outcome: HistoryOutcome.Failed } => ":fail",
                { IsWrite: true, Outcome: HistoryOutcome.Unknown } => ":info",
                _ => ":ok",
            };
            var time = (Int128)(isStart ? operation.Start : operation.End) * 1_000_000_000 / history.Columns.TicksPerSecond;
            Line(writer, $"{{:index {line}, :type {type}, :process {lanes[index]}, :time {time}, :f :txn, :value [{Elements(history, operation, isStart)}]}}");
        }
    }

    private static string Elements(History history, Operation operation, bool isStart)
    {
        var columns = history.Columns;
        if (operation.IsWrite) return Invariant($"[:append {columns.Keys[operation.Key]} {operation.Value}]");
        return string.Join(' ', Enumerable.Range(operation.FirstRow, operation.RowCount).Select(i => columns.Rows[i]).Select(row =>
            Invariant($"[:r {columns.Keys[row.Key]} {(isStart ? "nil" : $"[{List(history, row)}]")}]")));
    }

    // The values of the versions up to the one that a read showed. That one may be a failed write's, which was never committed.
    private static string List(History history, ShownRow row)
    {
        var values = Enumerable.Range(1, int.Max(0, row.Version - 1)).Select(version => history.Versions.Next(row.Key, version - 1, history.Tree.Final))
            .Where(version => version != VersionTable.None).Select(version => history.Versions[version].Value);
        return string.Join(' ', (row.Version == 0 ? values : values.Append(row.Value)).Select(value => value.ToString(CultureInfo.InvariantCulture)));
    }

    private static void Line(TextWriter writer, FormattableString line)
    {
        writer.Write(Invariant(line));
        writer.Write('\n');
    }
}
