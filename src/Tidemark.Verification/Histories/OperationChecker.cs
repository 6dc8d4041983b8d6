using System.Diagnostics;

namespace Tidemark.Verification;

/// <summary>Checks one operation after the other, and determines what each one binds its session to.</summary>
internal sealed class OperationChecker
{
    private readonly History _history;
    private readonly WalTree _tree;
    private readonly SessionWatermarks _sessions;
    private readonly AcknowledgedCommits _acknowledged;
    private readonly Verdicts _verdicts;
    private readonly VisibleCommits _visible;
    private readonly Watermark _fresh = new();

    // For each read, the latest commit that it showed, until the read ends.
    private readonly int[] _shown;

    // What reads had to contain although they do not show it, until they end. Kept only where it can make a difference.
    private readonly Dictionary<int, (int Timeline, Mark Mark)> _promised = [];
    private readonly bool _carriesWritten;
    private int[] _next = new int[HistoryBuilder.MaxKeysPerRead];
    private int[] _spare = new int[HistoryBuilder.MaxKeysPerRead];

    public OperationChecker(History history, SessionWatermarks sessions, AcknowledgedCommits acknowledged, Verdicts verdicts)
    {
        (_history, _tree, _sessions, _acknowledged, _verdicts) = (history, history.Tree, sessions, acknowledged, verdicts);
        _visible = new VisibleCommits(history);
        _shown = new int[history.OperationCount];
        for (var i = 0; i < history.OperationCount && !_carriesWritten; i++)
        {
            // If a read also requires the writes of its session, they are part of that requirement.
            ref readonly var operation = ref history.Columns.Operations[i];
            _carriesWritten = !operation.IsWrite && operation.Guarantees == ReadGuarantees.MonotonicReads;
        }
    }

    /// <summary>Checks an operation against what its session was bound to when the operation started.</summary>
    public void Evaluate(int index)
    {
        ref readonly var operation = ref _history.Columns.Operations[index];
        if (operation.IsWrite) EvaluateWrite(index, operation);
        else EvaluateRead(index, operation);
    }

    /// <summary>Binds the session to what the operation wrote or showed.</summary>
    public void End(int index)
    {
        ref readonly var operation = ref _history.Columns.Operations[index];
        if (!operation.IsWrite)
        {
            if (_shown[index] != VersionTable.None) Raise(_sessions.Observed(operation.Client), operation, _shown[index], index);
            if (_promised.Count > 0 && _promised.Remove(index, out var promise))
                _sessions.Raise(_sessions.Carried(operation.Client), operation, promise.Timeline, promise.Mark);
        }
        else if (operation.Outcome == HistoryOutcome.Acknowledged)
        {
            var written = _sessions.Written(operation.Client);
            if (_history.CommittedBy(operation) is not VersionTable.None and var version) Raise(written, operation, version, index);
            else _sessions.Raise(written, operation, WalTree.Nowhere, new Mark(index + 1L, index));
        }
    }

    /// <summary>
    /// Handles the end of the server process of a write. If the write is of unknown outcome and committed, its session must observe it from
    /// now on.
    /// </summary>
    /// <remarks>
    /// If a failover lost the write, it was never acknowledged. The loss need not be reported to the session, and the session is bound to
    /// nothing.
    /// </remarks>
    public void Settle(int index)
    {
        ref readonly var write = ref _history.Columns.Operations[index];
        if (write.Outcome != HistoryOutcome.Unknown || _history.CommittedBy(write) is not (not VersionTable.None and var version)
            || !IsFinal(version)) return;
        Raise(_sessions.Written(write.Client), write, version, index);
    }

    private void Raise(Watermark watermark, in Operation operation, int version, int index)
    {
        ref readonly var committed = ref _history.Versions[version];
        _sessions.Raise(watermark, operation, committed.Timeline, new Mark(committed.Rank, index));
    }

    private void EvaluateWrite(int index, in Operation write)
    {
        var version = _history.CommittedBy(write);
        if (write.Outcome == HistoryOutcome.Acknowledged && (version == VersionTable.None || !IsFinal(version))) _verdicts.Lose(index);
        if (version == VersionTable.None) return;
        if (write.Outcome == HistoryOutcome.Failed)
        {
            _verdicts.FailedWriteCommitted(index);
            return;
        }

        var isBeforeOwn = EvaluateOrder(ViolationKind.MonotonicWrites, index, version, _sessions.Written(write.Client));
        var isBeforeObserved = EvaluateOrder(ViolationKind.WritesFollowReads, index, version, _sessions.Observed(write.Client));
        if (!isBeforeOwn && !isBeforeObserved)
            EvaluateOrder(ViolationKind.WritesFollowReads, index, version, _sessions.Carried(write.Client));
    }

    // Only the order counts here. That history continued without something is reported at the next read.
    private bool EvaluateOrder(ViolationKind kind, int index, int version, Watermark watermark)
    {
        ref readonly var committed = ref _history.Versions[version];
        if (ReadFit.Compare(_tree, watermark, committed.Timeline, committed.Rank - 1) != Containment.Misses) return false;
        _verdicts.OutOfOrder(kind, index, watermark, committed);
        return true;
    }

    private bool IsFinal(int version) => _history.Versions[version].Rank <= _tree.Reach(_history.Versions[version].Timeline, _tree.Final);

    private void EvaluateRead(int index, in Operation read)
    {
        _verdicts.Look(index, read);
        _fresh.Set(_tree, read.MaxStaleness >= 0 ? _acknowledged.Before(SaturatingSubtract(read.Start, read.MaxStaleness)) : default);
        var isExplained = TryExplain(index, read, out var best, out var evaluation, out var isAmbiguous);
        if (!isExplained)
        {
            _verdicts.Torn(index, read);
            return;
        }

        if (evaluation.Worst != Containment.Contains) _verdicts.Add(index, read, best, evaluation, _sessions, _fresh, _visible);
        if (evaluation.HasLost && _sessions.GoOn(read, best.Timeline) is { } unreported)
            _verdicts.SilentLoss(index, best.Timeline, unreported);

        // What was not shown binds the session only if it is certain which history the read was answered from. A history that continued
        // without a write of the session cannot be the one, unless the loss was reported to the session.
        var mayHaveLost = isAmbiguous && (evaluation.Worst > Containment.NotYetVisible || _sessions.IsReported(read));
        if (!mayHaveLost && _carriesWritten && read.Asks(ReadGuarantees.ReadYourWrites) && evaluation.Written != Containment.Misses)
            Promise(index, best.Timeline, _sessions.Written(read.Client));
        if (!isAmbiguous && read.MaxStaleness >= 0 && evaluation.Fresh != Containment.Misses) Promise(index, best.Timeline, _fresh);
    }

    // If several timelines explain what was shown, the one that explains it best counts. These timelines are what is left of a tree after
    // cutting off branches: each of them descends from the earliest one through others of them. So only two must be examined, however many
    // there are. One is the latest, since what an earlier timeline misses is missed and not lost. The other is the first that can contain
    // what is required: if any timeline that fits contains all of it, that one does.
    private bool TryExplain(int index, in Operation read, out ReadFit best, out ReadEvaluation evaluation, out bool isAmbiguous)
    {
        isAmbiguous = false;
        evaluation = default;
        var isFinal = ReadFit.TryFit(_history, read, _tree.Final, _next, out best);
        _shown[index] = best.Shown;
        if (isFinal)
        {
            evaluation = ReadEvaluation.Of(best, read, _sessions, _fresh, _visible);
            if (evaluation.Worst == Containment.Contains) return true;
        }

        var earliest = best.Shown == VersionTable.None ? WalTree.Root : _history.Versions[best.Shown].Timeline;
        if (earliest == _tree.Final) return isFinal;
        if (!isFinal)
        {
            if (!ReadFit.TryFit(_history, read, earliest, _next, out best)) return false;
            var latest = ReadFit.LatestTimeline(_history, read, earliest);
            if (latest != earliest && !ReadFit.TryFit(_history, read, latest, _next, out best))
                throw new UnreachableException($"Operation #{index} fits timeline {_tree.Number(latest)}.");
            evaluation = ReadEvaluation.Of(best, read, _sessions, _fresh, _visible);
        }

        isAmbiguous = evaluation.Worst != Containment.Contains && best.Timeline != earliest;
        if (!isAmbiguous) return true;
        var first = int.Max(earliest, LatestProbed(read));
        if (first == best.Timeline || _tree.Common(first, earliest) != earliest
            || !ReadFit.TryFit(_history, read, first, _spare, out var other)) return true;
        var candidate = ReadEvaluation.Of(other, read, _sessions, _fresh, _visible);
        if (candidate.Worst >= evaluation.Worst) return true;
        (best, evaluation) = (other, candidate);
        (_next, _spare) = (_spare, _next);
        return true;
    }

    // The latest timeline of what a read has to contain.
    private int LatestProbed(in Operation read)
    {
        var latest = LatestOf(_fresh);
        if (read.Asks(ReadGuarantees.ReadYourWrites)) latest = int.Max(latest, LatestOf(_sessions.Written(read.Client)));
        if (read.Asks(ReadGuarantees.MonotonicReads))
            latest = int.Max(latest, int.Max(LatestOf(_sessions.Observed(read.Client)), LatestOf(_sessions.Carried(read.Client))));
        return latest;
    }

    private static int LatestOf(Watermark watermark) => watermark.Count > 0 ? watermark[watermark.Count - 1].Timeline : WalTree.Nowhere;

    // The latest part of a watermark in the history of the read. The state of the read contains it.
    private void Promise(int index, int timeline, Watermark watermark)
    {
        for (var i = watermark.Count - 1; i >= 0; i--)
        {
            var (marked, mark) = watermark[i];
            if (marked == WalTree.Nowhere || mark.Rank > _tree.Reach(marked, timeline)) continue;
            var isLatest = !_promised.TryGetValue(index, out var other) || marked > other.Timeline
                || (marked == other.Timeline && mark.Rank > other.Mark.Rank);
            if (isLatest) _promised[index] = (marked, mark);
            return;
        }
    }

    private static long SaturatingSubtract(long time, long span) => time < long.MinValue + span ? long.MinValue : time - span;
}
