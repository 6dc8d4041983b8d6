namespace Tidemark.Verification;

/// <summary>
/// Sessions as other checkers define them: a sequence of operations, one after the other. A client with several concurrent operations
/// becomes several sessions. A write of unknown outcome gets a session of its own.
/// </summary>
internal sealed class SessionLanes
{
    private readonly int[] _laneOf;

    public SessionLanes(History history, HistoryBranch branch)
    {
        var operations = history.Columns.Operations;
        _laneOf = new int[operations.Count];
        ByStart = [.. TimeOrder.Of(operations.Count, i => operations[i].Start).Where(branch.Contains)];
        var lanes = new List<(int Lane, long End)>[history.ClientCount];
        foreach (var index in ByStart)
        {
            ref readonly var operation = ref operations[index];
            var open = lanes[operation.Client] ??= [];
            var isUnknown = operation.IsWrite && operation.Outcome == HistoryOutcome.Unknown;
            var (start, end) = (operation.Start, operation.End);
            var free = isUnknown ? -1 : open.FindIndex(lane => lane.End < start);
            _laneOf[index] = free < 0 ? Count++ : open[free].Lane;
            if (free >= 0) open[free] = (_laneOf[index], end);
            else if (!isUnknown) open.Add((_laneOf[index], end));
        }
    }

    public int Count { get; private set; }

    /// <summary>The operations of the branch in the order in which they started.</summary>
    public int[] ByStart { get; }

    public int this[int operation] => _laneOf[operation];
}
