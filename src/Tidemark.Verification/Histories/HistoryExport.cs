using System.Globalization;
using static System.FormattableString;

namespace Tidemark.Verification;

/// <summary>
/// Exports histories for other checkers, to get a second verdict. Each write is a transaction that reads the version it replaces and writes
/// its own. Each read is a transaction. A history with forks is exported one timeline at a time. <c>docs/histories.md</c> describes how to
/// run the checkers, and which facts their formats cannot express.
/// </summary>
public static class HistoryExport
{
    /// <summary>
    /// Writes a history in the text format of Plume and AWDIT: <c>r(key,value,session,transaction)</c>, where 0 is the initial value.
    /// </summary>
    /// <param name="history">The history. It has no negative keys, and positive values only.</param>
    /// <param name="writer">The target.</param>
    /// <param name="timeline">
    /// One of <see cref="History.Timelines"/>. It is exported with its ancestors. Default: the last timeline.
    /// </param>
    /// <exception cref="NotSupportedException">The format cannot represent this history.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The history has no such timeline.</exception>
    public static void WritePlume(History history, TextWriter writer, uint? timeline = null)
    {
        ArgumentNullException.ThrowIfNull(history);
        ArgumentNullException.ThrowIfNull(writer);
        var columns = history.Columns;
        if (columns.Keys.Any(key => key < 0)) throw new NotSupportedException("Plume's format does not support negative keys.");
        var branch = new HistoryBranch(history, timeline);
        var lanes = new SessionLanes(history, branch);
        foreach (var index in lanes.ByStart)
        {
            var operation = columns.Operations[index];
            if (!operation.IsWrite)
            {
                for (var i = 0; i < operation.RowCount; i++)
                {
                    var row = columns.Rows[operation.FirstRow + i];
                    Line(writer, $"r({columns.Keys[row.Key]},{(row.Version == 0 ? 0 : row.Value)},{lanes[index]},{index})");
                }

                continue;
            }

            if (operation.Value <= 0)
                throw new NotSupportedException(
                    $"Plume's format supports positive values only, since 0 is the initial value. "
                    + $"Operation #{index} writes {operation.Value}.");
            var isFailed = history.CommittedBy(operation) == VersionTable.None;
            var before = isFailed ? VersionTable.None : branch.Before(operation);
            var replaced = before == VersionTable.None ? 0 : history.Versions[before].Value;
            if (!isFailed) Line(writer, $"r({columns.Keys[operation.Key]},{replaced},{lanes[index]},{index})");
            Line(writer, $"w({columns.Keys[operation.Key]},{operation.Value},{lanes[index]},{(isFailed ? -1 : index)})");
        }
    }

    /// <summary>
    /// Writes a history in Elle's list-append format as EDN, one operation map per line. A write reads its key and appends its value. A
    /// read of version v shows the first v values.
    /// </summary>
    /// <param name="history">
    /// The history. Each read repeats all values of its keys, so that keys with many versions produce a large file.
    /// </param>
    /// <param name="writer">The target.</param>
    /// <param name="timeline">
    /// One of <see cref="History.Timelines"/>. It is exported with its ancestors. Default: the last timeline.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">The history has no such timeline.</exception>
    public static void WriteElle(History history, TextWriter writer, uint? timeline = null)
    {
        ArgumentNullException.ThrowIfNull(history);
        ArgumentNullException.ThrowIfNull(writer);
        var branch = new HistoryBranch(history, timeline);
        var lanes = new SessionLanes(history, branch);
        var operations = history.Columns.Operations;
        var byEnd = lanes.ByStart.OrderBy(i => operations[i].End).ToArray();
        var (start, end) = (0, 0);
        for (var line = 0; line < 2 * byEnd.Length; line++)
        {
            // Within one tick, everything starts before anything ends, as in HistorySweep.
            var isStart = start < byEnd.Length && operations[lanes.ByStart[start]].Start <= operations[byEnd[end]].End;
            var index = isStart ? lanes.ByStart[start++] : byEnd[end++];
            var operation = operations[index];
            var type = isStart ? ":invoke" : operation switch
            {
                { IsWrite: true, Outcome: HistoryOutcome.Failed } => ":fail",
                { IsWrite: true, Outcome: HistoryOutcome.Unknown } => ":info",
                _ => ":ok",
            };
            var time = (Int128)(isStart ? operation.Start : operation.End) * 1_000_000_000 / history.Columns.TicksPerSecond;
            var value = Elements(history, branch, operation, isKnown: type == ":ok");
            Line(writer, $"{{:index {line}, :type {type}, :process {lanes[index]}, :time {time}, :f :txn, :value [{value}]}}");
        }
    }

    // The result of a read is known only for operations that succeeded.
    private static string Elements(History history, HistoryBranch branch, Operation operation, bool isKnown)
    {
        var columns = history.Columns;
        if (operation.IsWrite)
        {
            var before = branch.Before(operation);
            var replaced = before == VersionTable.None
                ? default : new ShownRow(operation.Key, operation.Version - 1, history.Versions[before].Value);
            var key = columns.Keys[operation.Key];
            var list = isKnown ? $"[{List(history, branch, replaced)}]" : "nil";
            return Invariant($"[:r {key} {list}] [:append {key} {operation.Value}]");
        }

        return string.Join(' ', Enumerable.Range(operation.FirstRow, operation.RowCount).Select(i => columns.Rows[i]).Select(row =>
            Invariant($"[:r {columns.Keys[row.Key]} {(isKnown ? $"[{List(history, branch, row)}]" : "nil")}]")));
    }

    // The values of the versions up to the one that a read showed. That version may come from a failed write that was never committed.
    private static string List(History history, HistoryBranch branch, ShownRow row)
    {
        var values = Enumerable.Range(1, int.Max(0, row.Version - 1)).Select(version => branch.Version(row.Key, version))
            .Where(version => version != VersionTable.None).Select(version => history.Versions[version].Value);
        return string.Join(' ', (row.Version == 0 ? values : values.Append(row.Value))
            .Select(value => value.ToString(CultureInfo.InvariantCulture)));
    }

    private static void Line(TextWriter writer, FormattableString line)
    {
        writer.Write(Invariant(line));
        writer.Write('\n');
    }
}
