using System.Collections.Immutable;

namespace Tidemark.Verification;

/// <summary>Collects the findings: counts of all violations, and texts of the first ones.</summary>
internal sealed class Verdicts(History history)
{
    private readonly long[] _counts = new long[Enum.GetValues<ViolationKind>().Length];
    private readonly ImmutableArray<Violation>.Builder _listed = ImmutableArray.CreateBuilder<Violation>();
    private readonly ImmutableArray<int>.Builder _lost = ImmutableArray.CreateBuilder<int>();
    private readonly ViolationText _text = new(history);
    private readonly bool _hasFailedWrites = HasFailedWrites(history.Columns.Operations);
    private long _visibilityOrder;
    private long _reads;

    public HistoryVerdict Close() => new(_counts)
    {
        VisibilityOrder = _visibilityOrder, LostWrites = _lost.ToImmutable(), Violations = _listed.ToImmutable(),
        Operations = history.OperationCount, Reads = _reads,
    };

    /// <summary>Records that an acknowledged write is not in the final history.</summary>
    public void Lose(int write) => _lost.Add(write);

    /// <summary>Counts a read, and the rows that it shows of failed writes which were never committed.</summary>
    public void Look(int index, in Operation read)
    {
        _reads++;
        if (!_hasFailedWrites) return;
        for (var i = 0; i < read.RowCount; i++)
        {
            var row = history.Columns.Rows[read.FirstRow + i];
            if (row.Version > 0 && history.Versions.Find(row.Key, row.Version, row.Value) == VersionTable.None
                && Counts(ViolationKind.FailedWriteVisible))
                List(ViolationKind.FailedWriteVisible, index, because: null, _text.FailedWriteShown(index, row));
        }
    }

    public void FailedWriteCommitted(int write)
    {
        if (Counts(ViolationKind.FailedWriteVisible))
            List(ViolationKind.FailedWriteVisible, write, because: null, _text.FailedWriteCommitted(write));
    }

    public void OutOfOrder(ViolationKind kind, int write, Watermark watermark, in CommittedVersion committed)
    {
        if (!Counts(kind)) return;
        var missed = ReadFit.Missed(watermark, committed.Timeline, committed.Rank - 1);
        List(kind, write, missed.Mark.Operation, _text.OutOfOrder(kind, write, committed, missed));
    }

    public void Torn(int index, in Operation read)
    {
        if (Counts(ViolationKind.Prefix)) List(ViolationKind.Prefix, index, because: null, _text.Torn(index, read));
    }

    public void SilentLoss(int index, int timeline, (int Timeline, Mark Mark) lost)
    {
        if (Counts(ViolationKind.SilentLoss))
            List(ViolationKind.SilentLoss, index, lost.Mark.Operation, _text.SilentLoss(index, timeline, lost));
    }

    /// <summary>Records what a read still misses under the explanation that fits it best.</summary>
    public void Add(int index, in Operation read, ReadFit fit, in ReadEvaluation evaluation, SessionWatermarks sessions, Watermark fresh,
        VisibleCommits visible)
    {
        if (evaluation.IsNotYetVisible) _visibilityOrder++;
        if (evaluation.Prefix == Containment.Misses) Torn(index, read);
        if (evaluation.Written == Containment.Misses) Miss(ViolationKind.ReadYourWrites, index, read, fit, sessions.Written(read.Client));
        if (evaluation.Fresh == Containment.Misses) Miss(ViolationKind.Staleness, index, read, fit, fresh);
        if (evaluation.Observed != Containment.Misses) return;
        var isObserved = fit.Against(sessions.Observed(read.Client), visible, read.Start) == Containment.Misses;
        Miss(ViolationKind.MonotonicReads, index, read, fit, isObserved ? sessions.Observed(read.Client) : sessions.Carried(read.Client));
    }

    private void Miss(ViolationKind kind, int index, in Operation read, ReadFit fit, Watermark watermark)
    {
        if (!Counts(kind)) return;
        var missed = ReadFit.Missed(watermark, fit.Timeline, fit.High);
        List(kind, index, missed.Mark.Operation, _text.Missed(kind, index, read, fit, missed));
    }

    // Returns whether there is room to list the violation.
    private bool Counts(ViolationKind kind)
    {
        _counts[(int)kind]++;
        return _listed.Count < HistoryVerdict.MaxViolationsListed;
    }

    private void List(ViolationKind kind, int operation, int? because, string text) =>
        _listed.Add(new Violation(kind, operation, because, text));

    private static bool HasFailedWrites(BlockList<Operation> operations)
    {
        for (var i = 0; i < operations.Count; i++)
        {
            if (operations[i].IsWrite && operations[i].Outcome == HistoryOutcome.Failed) return true;
        }

        return false;
    }
}
