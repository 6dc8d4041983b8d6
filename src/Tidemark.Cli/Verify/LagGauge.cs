namespace Tidemark.Cli.Verify;

/// <summary>Looks at how stale each replica is at most, from time to time.</summary>
internal sealed class LagGauge(TidemarkDataSource source)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly Dictionary<string, List<double>> _looks = [];

    /// <summary>Goes on looking until the token is cancelled.</summary>
    public async Task RunAsync(CancellationToken over)
    {
        using var timer = new PeriodicTimer(Interval);
        try
        {
            while (await timer.WaitForNextTickAsync(over)) Look();
        }
        catch (OperationCanceledException)
        {
        }
    }

    /// <summary>What was seen of each replica.</summary>
    public SortedDictionary<string, LagRecord> Figures()
    {
        var figures = new SortedDictionary<string, LagRecord>(StringComparer.Ordinal);
        foreach (var (node, looks) in _looks)
        {
            looks.Sort();
            figures[node] = new LagRecord(Math.Round(looks[looks.Count / 2], 1), Math.Round(looks[^1], 1));
        }

        return figures;
    }

    private void Look()
    {
        foreach (var node in source.Cluster.Monitor.Snapshot.Nodes)
        {
            if (node is not { Status: ConcludedStatus.Replica, CompleteAsOf: { } asOf }) continue;
            if (!_looks.TryGetValue(node.Name, out var looks)) _looks.Add(node.Name, looks = []);
            looks.Add(TimeProvider.System.GetElapsedTime(asOf).TotalMilliseconds);
        }
    }
}
