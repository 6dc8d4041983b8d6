using System.Diagnostics.CodeAnalysis;

namespace Tidemark.Testing;

/// <summary>Creates, opens and deletes the folders of kept clusters, under the cluster's lock.</summary>
internal static class KeptFolder
{
    // Longest wait for a watchdog to clean up if its process was killed while it started a cluster, and for servers to end after a
    // deletion.
    private static readonly TimeSpan WatchdogsTime = TimeSpan.FromSeconds(5);

    /// <summary>Creates the folder, with a watchdog until the cluster is complete.</summary>
    /// <exception cref="LocalClusterException">The name is in use.</exception>
    [SuppressMessage("Reliability", "CA2000", Justification = "The folder that is returned owns the lock and the watchdog.")]
    public static async Task<ClusterFolder> CreateAsync(
        string name, LocalClusterOptions options, SearchEnvironment environment, ServerUser user, CancellationToken cancellationToken)
    {
        MakeParents(environment.Clusters);
        var ownership = await ClusterLock.TakeAsync(environment.Clusters, name, cancellationToken).ConfigureAwait(false);
        try
        {
            RefuseNameInUse(environment, name);
            var path = KeptState.FolderOf(environment.Clusters, name);

            // A cluster folder without a state is left over from an interrupted start. Its watchdog may still be deleting it. Any other
            // folder must not be deleted.
            ValueTask<bool> IsGoneAsync() => ValueTask.FromResult(!Directory.Exists(path));
            if (!await Poll.UntilAsync(IsGoneAsync, WatchdogsTime, options.TimeProvider, cancellationToken).ConfigureAwait(false))
                throw new LocalClusterException(Exists(environment, name)
                    ? $"{path} is left over from a cluster {name} whose start or deletion was interrupted. "
                        + $"Stop its servers and delete it with: tidemark cluster down --name {name}"
                    : $"The cluster {name} cannot be created: {path} already exists and is not a cluster. "
                        + $"Choose another name, or another folder ({SearchEnvironment.ClustersVariable}).");
            user.MakeOuterFolder(path);
            return new ClusterFolder(path, ownership, Watchdog.Start(path, environment.FindProgram("setsid")));
        }
        catch
        {
            ownership.Dispose();
            throw;
        }
    }

    /// <summary>Returns the folder of an existing cluster, with its lock held.</summary>
    /// <exception cref="KeyNotFoundException">There is no such cluster.</exception>
    [SuppressMessage("Reliability", "CA2000", Justification = "The folder that is returned owns the lock.")]
    public static async Task<ClusterFolder> OpenAsync(SearchEnvironment environment, string name, CancellationToken cancellationToken)
    {
        if (!Exists(environment, name))
            throw KeptCluster.NotFound(environment, name);
        var ownership = await ClusterLock.TakeAsync(environment.Clusters, name, cancellationToken).ConfigureAwait(false);
        if (Exists(environment, name))
            return new ClusterFolder(KeptState.FolderOf(environment.Clusters, name), ownership, watchdog: null);
        ownership.Dispose();
        throw KeptCluster.NotFound(environment, name);
    }

    /// <summary>Stops the servers of a cluster and deletes it, in any state.</summary>
    /// <exception cref="KeyNotFoundException">There is no such cluster.</exception>
    public static async Task DeleteAsync(SearchEnvironment environment, string name, CancellationToken cancellationToken)
    {
        var folder = await OpenAsync(environment, name, cancellationToken).ConfigureAwait(false);
        await using (folder.ConfigureAwait(false))
        {
            await Watchdog.CleanAsync(folder.Path).ConfigureAwait(false);
            if (Directory.Exists(folder.Path))
                throw new LocalClusterException($"{folder.Path} could not be deleted. "
                    + $"The user {environment.UserName} may lack permission to delete some of its files.");
            IReadOnlyList<int> servers = [];
            ValueTask<bool> AreGoneAsync() => ValueTask.FromResult((servers = ProcessTable.ServersUnder(folder.Path)).Count == 0);
            if (!await Poll.UntilAsync(AreGoneAsync, WatchdogsTime, TimeProvider.System, cancellationToken).ConfigureAwait(false))
                throw new LocalClusterException($"The data of the cluster {name} was deleted, but processes of its servers still run. "
                    + $"Stop them with: kill -QUIT {string.Join(' ', servers)}");
        }
    }

    /// <exception cref="LocalClusterException">A cluster is already kept under that name.</exception>
    public static void RefuseNameInUse(SearchEnvironment environment, string name)
    {
        if (File.Exists(KeptState.FileOf(environment.Clusters, name)))
            throw new LocalClusterException($"There is a cluster {name} already. Delete it with: tidemark cluster down --name {name}");
    }

    private static bool Exists(SearchEnvironment environment, string name) => KeptState.IsCluster(environment.Clusters, name);

    // The user of the servers must be able to traverse these folders. An existing folder keeps its mode and may have another owner.
    private static void MakeParents(string clusters)
    {
        if (Directory.Exists(clusters))
            return;
        if (Path.GetDirectoryName(clusters) is { } parent)
            MakeParents(parent);
        UnixFolder.MakeReadable(clusters);
    }
}
