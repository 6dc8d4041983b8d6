using System.Diagnostics.CodeAnalysis;

namespace Tidemark.Testing;

/// <summary>The folders of clusters that are kept: made, opened and deleted under the cluster's lock.</summary>
internal static class KeptFolder
{
    // The longest that a watchdog is left to its work, when its process was killed while it started a cluster; and that servers may take to
    // be gone.
    private static readonly TimeSpan WatchdogsTime = TimeSpan.FromSeconds(5);

    /// <summary>Makes the folder, with a watchdog until the cluster is complete.</summary>
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

            // Without a state it is a start that was cut short; its watchdog, if it lives, is at it. Otherwise it is not ours to delete.
            if (!await Poll.UntilAsync(() => ValueTask.FromResult(!Directory.Exists(path)), WatchdogsTime, options.TimeProvider,
                cancellationToken).ConfigureAwait(false))
                throw new LocalClusterException(Exists(environment, name)
                    ? $"{path} is left of a cluster {name} whose start or end was cut short. This ends what runs of it, and deletes it: "
                        + $"tidemark cluster down --name {name}"
                    : $"The cluster {name} cannot be made: {path} is there already, and is no cluster. Take another name, or another "
                        + $"folder ({SearchEnvironment.ClustersVariable}).");
            user.MakeOuterFolder(path);
            return new ClusterFolder(path, ownership, Watchdog.Start(path, environment.FindProgram("setsid")));
        }
        catch
        {
            ownership.Dispose();
            throw;
        }
    }

    /// <summary>The folder of a cluster that exists, with the right to change it.</summary>
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

    /// <summary>Ends the servers of a cluster and deletes it, whatever state it is in.</summary>
    /// <exception cref="KeyNotFoundException">There is no such cluster.</exception>
    public static async Task DeleteAsync(SearchEnvironment environment, string name, CancellationToken cancellationToken)
    {
        var folder = await OpenAsync(environment, name, cancellationToken).ConfigureAwait(false);
        await using (folder.ConfigureAwait(false))
        {
            await Watchdog.CleanAsync(folder.Path).ConfigureAwait(false);
            if (Directory.Exists(folder.Path))
                throw new LocalClusterException(
                    $"{folder.Path} could not be deleted; as {environment.UserName} perhaps not everything in it may be.");
            IReadOnlyList<int> servers = [];
            if (!await Poll.UntilAsync(() => ValueTask.FromResult((servers = ProcessTable.ServersUnder(folder.Path)).Count == 0),
                WatchdogsTime, TimeProvider.System, cancellationToken)
                .ConfigureAwait(false))
                throw new LocalClusterException(
                    $"The data of the cluster {name} is deleted, and processes of its servers still run: {string.Join(", ", servers)}. End them: kill -QUIT");
        }
    }

    /// <exception cref="LocalClusterException">A cluster of that name is kept already.</exception>
    public static void RefuseNameInUse(SearchEnvironment environment, string name)
    {
        if (File.Exists(KeptState.FileOf(environment.Clusters, name)))
            throw new LocalClusterException($"There is a cluster {name} already. This deletes it: tidemark cluster down --name {name}");
    }

    private static bool Exists(SearchEnvironment environment, string name) => KeptState.IsCluster(environment.Clusters, name);

    // Those who run the servers must be able to pass. What exists has its mode already, and perhaps an owner who is not us.
    private static void MakeParents(string clusters)
    {
        if (Directory.Exists(clusters))
            return;
        if (Path.GetDirectoryName(clusters) is { } parent)
            MakeParents(parent);
        UnixFolder.MakeReadable(clusters);
    }
}
