namespace Tidemark.Verification;

/// <summary>Figures derived from a history: which nodes served reads, and how long operations took. Pure.</summary>
internal sealed class HistoryFigures
{
    private readonly double _ticksPerMillisecond;
    private readonly List<long> _readTicks = [];
    private readonly List<long> _writeTicks = [];

    public HistoryFigures(History history)
    {
        var columns = history.Columns;
        _ticksPerMillisecond = columns.TicksPerSecond / 1000.0;
        foreach (var node in columns.Nodes) ReadsByNode[node] = 0;
        for (var i = 0; i < columns.Operations.Count; i++)
        {
            ref readonly var operation = ref columns.Operations[i];
            if (!operation.IsWrite)
            {
                ReadsByNode[columns.Nodes[operation.Node]]++;
                if (operation.Kind == OperationKind.ReplicaRead) OnReplicas++;
                _readTicks.Add(operation.End - operation.Start);
                continue;
            }

            Writes++;
            if (operation.Outcome == HistoryOutcome.Failed) FailedWrites++;
            else if (operation.Outcome == HistoryOutcome.Unknown) UnknownWrites++;
            else _writeTicks.Add(operation.End - operation.Start);
        }

        _readTicks.Sort();
        _writeTicks.Sort();
    }

    public SortedDictionary<string, long> ReadsByNode { get; } = new(StringComparer.Ordinal);

    public long OnReplicas { get; }

    public long Writes { get; }

    public long FailedWrites { get; }

    public long UnknownWrites { get; }

    public double ShareOnReplicas => _readTicks.Count == 0 ? 0 : (double)OnReplicas / _readTicks.Count;

    public HistoryLatency ReadLatency => Latency(_readTicks);

    public HistoryLatency WriteLatency => Latency(_writeTicks);

    private HistoryLatency Latency(List<long> sorted) => new(At(sorted, 0.50), At(sorted, 0.99));

    private double At(List<long> sorted, double share) =>
        sorted.Count == 0 ? 0 : sorted[int.Max(0, (int)Math.Ceiling(share * sorted.Count) - 1)] / _ticksPerMillisecond;
}
