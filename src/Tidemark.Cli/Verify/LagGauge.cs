namespace Tidemark.Cli.Verify;

/// <summary>Samples the upper bound of each replica's staleness at intervals.</summary>
internal sealed class LagGauge(TidemarkDataSource source)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly Dictionary<string, List<double>> _samples = [];

    /// <summary>Samples until the token is cancelled.</summary>
    public async Task RunAsync(CancellationToken over)
    {
        using var timer = new PeriodicTimer(Interval);
        try
        {
            while (await timer.WaitForNextTickAsync(over)) Sample();
        }
        catch (OperationCanceledException)
        {
        }
    }

    /// <summary>Returns the median and the maximum for each replica.</summary>
    public SortedDictionary<string, LagRecord> Figures()
    {
        var figures = new SortedDictionary<string, LagRecord>(StringComparer.Ordinal);
        foreach (var (node, samples) in _samples)
        {
            samples.Sort();
            figures[node] = new LagRecord(Math.Round(samples[samples.Count / 2], 1), Math.Round(samples[^1], 1));
        }

        return figures;
    }

    private void Sample()
    {
        foreach (var node in source.Cluster.Monitor.Snapshot.Nodes)
        {
            if (node is not { Status: ConcludedStatus.Replica, CompleteAsOf: { } asOf }) continue;
            if (!_samples.TryGetValue(node.Name, out var samples)) _samples.Add(node.Name, samples = []);
            samples.Add(TimeProvider.System.GetElapsedTime(asOf).TotalMilliseconds);
        }
    }
}
