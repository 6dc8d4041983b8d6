namespace Tidemark.Verification;

/// <summary>
/// Processes a history in time order. An operation is evaluated when it starts, against everything that had ended before, and binds its
/// session when it ends. Within one tick, everything starts before anything ends.
/// </summary>
internal sealed class HistorySweep
{
    private readonly History _history;
    private readonly BlockList<Operation> _operations;
    private readonly SessionWatermarks _sessions;
    private readonly OperationChecker _evaluate;
    private readonly Verdicts _verdicts;
    private readonly int[] _byStart;
    private readonly int[] _byEnd;

    public HistorySweep(History history)
    {
        _history = history;
        _operations = history.Columns.Operations;
        _byStart = TimeOrder.Of(_operations.Count, i => _operations[i].Start);
        _byEnd = TimeOrder.Of(_operations.Count, i => _operations[i].End);
        _sessions = new SessionWatermarks(history);
        _verdicts = new Verdicts(history);
        _evaluate = new OperationChecker(history, _sessions, new AcknowledgedCommits(history, _byEnd), _verdicts);
    }

    public HistoryVerdict Run()
    {
        var (handOvers, losses) = (_history.Columns.HandOvers, _history.Columns.Losses);
        var exports = TimeOrder.Of(handOvers.Count, i => handOvers[i].ExportedAt);
        var imports = TimeOrder.Of(handOvers.Count, i => handOvers[i].ImportedAt);
        var reports = TimeOrder.Of(losses.Count, i => losses[i].Time);
        var settlements =
            _history.Settled.Select(settled => (Time: long.Max(settled.Value, _operations[settled.Key].End), Operation: settled.Key))
            .Order().ToArray();
        var (start, end, export, import, report, settlement) = (0, 0, 0, 0, 0, 0);
        while (true)
        {
            var startAt = start < _byStart.Length ? _operations[_byStart[start]].Start : long.MaxValue;
            var exportAt = export < exports.Length ? handOvers[exports[export]].ExportedAt : long.MaxValue;
            var reportAt = report < reports.Length ? losses[reports[report]].Time : long.MaxValue;
            var endAt = end < _byEnd.Length ? _operations[_byEnd[end]].End : long.MaxValue;
            var importAt = import < imports.Length ? handOvers[imports[import]].ImportedAt : long.MaxValue;
            var settleAt = settlement < settlements.Length ? settlements[settlement].Time : long.MaxValue;
            var now = long.Min(long.Min(long.Min(startAt, exportAt), long.Min(reportAt, endAt)), long.Min(importAt, settleAt));

            // An operation that ends at the largest possible time binds no session.
            if (now == long.MaxValue) return _verdicts.Close();
            if (startAt == now) _evaluate.Evaluate(_byStart[start++]);
            else if (exportAt == now) _sessions.Export(exports[export], handOvers[exports[export++]].From);
            else if (reportAt == now) _sessions.Report(losses[reports[report++]]);
            else if (endAt == now) _evaluate.End(_byEnd[end++]);
            else if (settleAt == now) _evaluate.Settle(settlements[settlement++].Operation);
            else _sessions.Import(imports[import], handOvers[imports[import++]].To);
        }
    }
}
