namespace Tidemark.Testing;

/// <summary>Judges one operation after the other, and says what each binds its session to.</summary>
internal sealed class OperationJudge
{
    private readonly History _history;
    private readonly WalTree _tree;
    private readonly SessionHorizons _sessions;
    private readonly AcknowledgedCommits _acknowledged;
    private readonly Verdicts _verdicts;
    private readonly Horizons _fresh;

    // For each read what it showed last, until it ends.
    private readonly int[] _shown;

    // What reads had to contain though they do not show it, until they end; only where that can make a difference.
    private readonly Dictionary<int, (int Timeline, Mark Mark)> _promised = [];
    private readonly bool _carriesWritten;
    private int[] _next = new int[HistoryBuilder.MaxKeysPerRead];
    private int[] _spare = new int[HistoryBuilder.MaxKeysPerRead];

    public OperationJudge(History history, SessionHorizons sessions, AcknowledgedCommits acknowledged, Verdicts verdicts)
    {
        (_history, _tree, _sessions, _acknowledged, _verdicts) = (history, history.Tree, sessions, acknowledged, verdicts);
        _fresh = new Horizons(1, _tree.Count);
        _shown = new int[history.OperationCount];
        for (var i = 0; i < history.OperationCount && !_carriesWritten; i++)
        {
            // A read that asks for its session's writes as well finds them among those.
            ref readonly var operation = ref history.Columns.Operations[i];
            _carriesWritten = !operation.IsWrite && operation.Guarantees == ReadGuarantees.MonotonicReads;
        }
    }

    /// <summary>Judges an operation by what its session was bound to when it started.</summary>
    public void Judge(int index)
    {
        ref readonly var operation = ref _history.Columns.Operations[index];
        if (operation.IsWrite) JudgeWrite(index, operation);
        else JudgeRead(index, operation);
    }

    /// <summary>Binds the session to what the operation wrote or showed.</summary>
    public void End(int index)
    {
        ref readonly var operation = ref _history.Columns.Operations[index];
        if (!operation.IsWrite)
        {
            if (_shown[index] != VersionTable.None) Raise(_sessions.Seen(operation.Client), operation, _shown[index], index);
            if (_promised.Count > 0 && _promised.Remove(index, out var promise)) _sessions.Raise(_sessions.Carried(operation.Client), operation, promise.Timeline, promise.Mark);
        }
        else if (operation.Outcome == HistoryOutcome.Acknowledged)
        {
            var written = _sessions.Written(operation.Client);
            if (_history.CommittedBy(operation) is not VersionTable.None and var version) Raise(written, operation, version, index);
            else _sessions.Raise(written, operation, WalTree.Nowhere, new Mark(index + 1L, index));
        }
    }

    private void Raise(Horizon horizon, in Operation operation, int version, int index)
    {
        ref readonly var committed = ref _history.Versions[version];
        _sessions.Raise(horizon, operation, committed.Timeline, new Mark(committed.Rank, index));
    }

    private void JudgeWrite(int index, in Operation write)
    {
        var version = _history.CommittedBy(write);
        if (write.Outcome == HistoryOutcome.Acknowledged && (version == VersionTable.None || !IsFinal(version))) _verdicts.Lose(index);
        if (version == VersionTable.None) return;
        if (write.Outcome == HistoryOutcome.Failed)
        {
            _verdicts.FailedWriteCommitted(index);
            return;
        }

        var isBeforeOwn = JudgeOrder(ViolationKind.MonotonicWrites, index, version, _sessions.Written(write.Client));
        var isBeforeSeen = JudgeOrder(ViolationKind.WritesFollowReads, index, version, _sessions.Seen(write.Client));
        if (!isBeforeOwn && !isBeforeSeen) JudgeOrder(ViolationKind.WritesFollowReads, index, version, _sessions.Carried(write.Client));
    }

    // That history went on without something is told at the next read; here only the order counts.
    private bool JudgeOrder(ViolationKind kind, int index, int version, Horizon horizon)
    {
        ref readonly var committed = ref _history.Versions[version];
        if (ReadFit.Containment(_tree, horizon, committed.Timeline, committed.Rank - 1) != Fate.Misses) return false;
        _verdicts.OutOfOrder(kind, index, horizon, committed);
        return true;
    }

    private bool IsFinal(int version) => _history.Versions[version].Rank <= _tree.Reach(_history.Versions[version].Timeline, _tree.Final);

    private void JudgeRead(int index, in Operation read)
    {
        _verdicts.Look(index, read);
        var fresh = _fresh[0];
        fresh.Clear();
        if (read.MaxStaleness >= 0) _acknowledged.Before(SaturatingSubtract(read.Start, read.MaxStaleness), fresh);

        // Where several timelines explain what was shown, the one that explains it best counts.
        var (best, judgement, isExplained, isAmbiguous) = (default(ReadFit), default(ReadJudgement), false, false);
        for (var timeline = _tree.Final; timeline > WalTree.Nowhere; timeline--)
        {
            var fits = ReadFit.TryFit(_history, read, timeline, _spare, out var fit);
            _shown[index] = fit.Shown;
            if (!fits) continue;
            isAmbiguous |= isExplained;
            var candidate = ReadJudgement.Of(fit, read, _sessions, fresh);
            if (isExplained && candidate.Worst >= judgement.Worst) continue;
            (best, judgement, isExplained) = (fit, candidate, true);
            (_next, _spare) = (_spare, _next);
            if (judgement.Worst == Fate.Contains) break;
        }

        if (!isExplained)
        {
            _verdicts.Torn(index, read);
            return;
        }

        if (judgement.Worst != Fate.Contains) _verdicts.Add(index, read, best, judgement, _sessions, fresh);
        if (judgement.HasLost && !_sessions.GoOn(read, best.Timeline)) _verdicts.SilentLoss(index, best.Timeline);

        // What was not shown binds only where there is no doubt which history the read was answered from.
        if (isAmbiguous) return;
        if (_carriesWritten && read.Asks(ReadGuarantees.ReadYourWrites) && judgement.Written != Fate.Misses) Promise(index, best.Timeline, _sessions.Written(read.Client));
        if (read.MaxStaleness >= 0 && judgement.Fresh != Fate.Misses) Promise(index, best.Timeline, fresh);
    }

    // The latest that a horizon has of the history of the read: the state of the read contains it.
    private void Promise(int index, int timeline, Horizon horizon)
    {
        for (var i = timeline; i > WalTree.Nowhere; i--)
        {
            var mark = horizon[i];
            if (mark.Rank == 0 || mark.Rank > _tree.Reach(i, timeline)) continue;
            var isLatest = !_promised.TryGetValue(index, out var other) || i > other.Timeline || (i == other.Timeline && mark.Rank > other.Mark.Rank);
            if (isLatest) _promised[index] = (i, mark);
            return;
        }
    }

    private static long SaturatingSubtract(long time, long span) => time < long.MinValue + span ? long.MinValue : time - span;
}
