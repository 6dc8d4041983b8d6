using Tidemark.Testing;

namespace Tidemark;

/// <summary>A primary and two replicas, started once for the tests of a class.</summary>
public sealed class LocalClusterOfThree : IAsyncLifetime
{
    private readonly List<LocalClusterProgress> _progress = [];

    public LocalCluster Cluster { get; private set; } = null!;

    public IReadOnlyList<LocalClusterProgress> Progress => _progress;

    public async ValueTask InitializeAsync() =>
        Cluster = await LocalCluster.StartAsync(new LocalClusterOptions { Progress = new Recorder(_progress) },
            TestContext.Current.CancellationToken);

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();

    // Progress<T> would report on the thread pool, later and in any order.
    private sealed class Recorder(List<LocalClusterProgress> into) : IProgress<LocalClusterProgress>
    {
        public void Report(LocalClusterProgress value)
        {
            into.Add(value);
            Console.WriteLine($"{value.Elapsed.TotalMilliseconds,6:F0} {value.Stage}");
        }
    }
}
