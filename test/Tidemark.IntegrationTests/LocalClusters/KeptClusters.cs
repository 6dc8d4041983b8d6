using Tidemark.Testing;

namespace Tidemark;

/// <summary>A folder for the clusters that a test keeps. They are deleted at the end of the test.</summary>
public sealed class KeptClusters : IAsyncDisposable
{
    private readonly string? _before = Environment.GetEnvironmentVariable(SearchEnvironment.ClustersVariable);

    public KeptClusters()
    {
        UnixFolder.MakeReadable(Folder);
        Environment.SetEnvironmentVariable(SearchEnvironment.ClustersVariable, Folder);
    }

    /// <summary>The value of <c>TIDEMARK_CLUSTERS</c>, for this process and the processes it starts.</summary>
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
