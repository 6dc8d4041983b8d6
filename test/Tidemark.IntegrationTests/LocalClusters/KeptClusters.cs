using Tidemark.Testing;

namespace Tidemark;

/// <summary>A folder for the clusters that a test keeps, and their end with the test.</summary>
public sealed class KeptClusters : IAsyncDisposable
{
    private readonly string? _before = Environment.GetEnvironmentVariable(SearchEnvironment.ClustersVariable);

    public KeptClusters()
    {
        UnixFolder.MakeReadable(Folder);
        Environment.SetEnvironmentVariable(SearchEnvironment.ClustersVariable, Folder);
    }

    /// <summary>What <c>TIDEMARK_CLUSTERS</c> names, for this process and those it starts.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("tidemark-kept-").FullName;

    public static Task<LocalCluster> StartAsync(string name, int replicas = 1) =>
        LocalCluster.StartAsync(new LocalClusterOptions { Name = name, Replicas = replicas }, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        foreach (var folder in Directory.EnumerateDirectories(Folder))
            await Watchdog.CleanAsync(folder);
        Directory.Delete(Folder, recursive: true);
        Environment.SetEnvironmentVariable(SearchEnvironment.ClustersVariable, _before);
    }
}
