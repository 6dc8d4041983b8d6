namespace Tidemark.Testing;

/// <summary>
/// The recorded state of a <see cref="LocalCluster"/> that is kept under a name (<see cref="LocalClusterOptions.Name"/>). Any process can
/// read it by that name, without starting, stopping or locking anything.
/// </summary>
/// <remarks>
/// Each kept cluster is a folder in <c>~/.local/state/tidemark/clusters</c> (<c>XDG_STATE_HOME</c> is respected), or, for root, in
/// <c>/var/lib/tidemark/clusters</c>. The environment variable <c>TIDEMARK_CLUSTERS</c> overrides both.
/// </remarks>
public sealed class KeptCluster
{
    /// <summary>
    /// The rule that <see cref="IsName"/> checks, worded for the end of an error message such as "the name is not valid:".
    /// </summary>
    public const string NameRule = ClusterName.Rule;

    private readonly KeptState _state;

    private KeptCluster(string name, string folder, KeptState state)
    {
        (Name, Folder, _state) = (name, folder, state);
        Nodes = [.. state.Nodes.Index()
            .Select(node => new KeptNode(node.Item.Name, PortBlock.PortOf(state.BasePort, node.Index), state.Database))];
    }

    /// <summary>The name that the cluster is kept under.</summary>
    public string Name { get; }

    /// <summary>The folder that holds all files of the cluster.</summary>
    public string Folder { get; }

    /// <summary>All nodes, ordered by name, running or not.</summary>
    public IReadOnlyList<KeptNode> Nodes { get; }

    /// <summary>The major version of the servers.</summary>
    public int PostgresVersion => _state.PostgresVersion;

    /// <summary>The database in the connection strings.</summary>
    public string Database => _state.Database;

    /// <summary>Whether every commit waits for all replicas (<see cref="LocalClusterOptions.SynchronousReplicas"/>).</summary>
    public bool HasSynchronousReplicas => _state.SynchronousReplicas;

    /// <summary>An Npgsql connection string with all nodes as hosts, without a password.</summary>
    public string ConnectionString => NodeAddress.ConnectionString(Database, Nodes.Select(node => node.Port));

    internal KeptState State => _state;

    /// <summary>
    /// Returns the names of all kept clusters in ordinal order, including those that are damaged or whose start or deletion was
    /// interrupted.
    /// </summary>
    public static IReadOnlyList<string> FindNames() => FindNames(SearchEnvironment.Current());

    /// <summary>
    /// Returns whether a name is valid for a kept cluster: up to 63 letters, digits and <c>. _ -</c>, of which the first is a letter or
    /// digit.
    /// </summary>
    /// <param name="name">The name.</param>
    public static bool IsName(string name) => ClusterName.IsValid(name);

    /// <summary>Reads the recorded state of a cluster.</summary>
    /// <param name="name">The name of the cluster.</param>
    /// <exception cref="KeyNotFoundException">No cluster is kept under that name; the message lists those that are.</exception>
    /// <exception cref="LocalClusterException">
    /// The state is damaged, or the cluster's start or deletion was interrupted or is still in progress.
    /// </exception>
    public static KeptCluster Read(string name) => Read(SearchEnvironment.Current(), name);

    /// <summary>
    /// Queries the status of all nodes at the same time. A node has 3 s to accept a connection and 3 s more to answer; otherwise
    /// <see cref="LocalNodeStatus.Answers"/> is <c>false</c>.
    /// </summary>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <returns>The status of every node, ordered by name.</returns>
    public async Task<IReadOnlyList<LocalNodeStatus>> QueryNodesAsync(CancellationToken cancellationToken = default)
    {
        var nodes = await Task.WhenAll(_state.Nodes.Select(node =>
            NodeQuestion.QueryAsync(_state, node, new NodeFolder(Folder, node.Name), cancellationToken))).ConfigureAwait(false);
        var primary = nodes.First(node => node.Name == _state.Primary);
        return [.. nodes.Select(node =>
            node.Role == LocalNodeRole.Replica && node.Timeline == primary.Timeline && primary.Lsn is { } end && node.Lsn is { } at
            ? node with { LagBytes = (ulong)end > (ulong)at ? (long)((ulong)end - (ulong)at) : 0 }
            // A node that has left the primary's history also streams, up to the fork. After that it receives nothing more.
            : node with { IsStreaming = node.IsStreaming && (node.Follows != primary.Name || node.Timeline == primary.Timeline) })];
    }

    internal static IReadOnlyList<string> FindNames(SearchEnvironment environment)
    {
        if (!Directory.Exists(environment.Clusters))
            return [];
        return [.. Directory.EnumerateDirectories(environment.Clusters).Select(folder => Path.GetFileName(folder))
            .Where(name => KeptState.IsCluster(environment.Clusters, name))
            .Order(StringComparer.Ordinal)];
    }

    internal static KeptCluster Read(SearchEnvironment environment, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!KeptState.IsCluster(environment.Clusters, name))
            throw NotFound(environment, name);
        try
        {
            return new KeptCluster(name, KeptState.FolderOf(environment.Clusters, name), KeptState.Read(environment.Clusters, name));
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            if (!KeptState.IsCluster(environment.Clusters, name))
                throw NotFound(environment, name);      // another process deleted it
            throw new LocalClusterException(
                $"The cluster {name} is not complete: {KeptState.FileOf(environment.Clusters, name)} does not exist. "
                + "The cluster is still starting, or its start or deletion was interrupted. "
                + $"If it was interrupted, delete the rest with: tidemark cluster down --name {name}", error);
        }
    }

    /// <summary>Returns the port blocks of all kept clusters. Omits clusters whose state cannot be read.</summary>
    internal static IReadOnlyCollection<int> FindPorts(SearchEnvironment environment)
    {
        var ports = new List<int>();
        foreach (var name in Try(() => FindNames(environment)) ?? [])
        {
            if (Try(() => KeptState.Read(environment.Clusters, name)) is { } state)
                ports.Add(state.BasePort);
        }

        return ports;
    }

    // A cluster that belongs to another user, is damaged, or was just deleted must not prevent the start of another cluster. If its
    // servers run, they hold their ports themselves.
    private static T? Try<T>(Func<T> read) where T : class
    {
        try
        {
            return read();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or LocalClusterException)
        {
            return null;
        }
    }

    internal static KeyNotFoundException NotFound(SearchEnvironment environment, string name)
    {
        var names = FindNames(environment);
        var existing = names.Count == 0
            ? $"No clusters exist in {environment.Clusters}."
            : $"Existing clusters in {environment.Clusters}: {string.Join(", ", names)}.";
        return new KeyNotFoundException($"There is no cluster {name}. {existing} "
            + $"Create it with: tidemark cluster up{(name == "default" ? "" : $" --name {name}")}");
    }
}
