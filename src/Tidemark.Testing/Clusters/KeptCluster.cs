namespace Tidemark.Testing;

/// <summary>
/// What is written about a <see cref="LocalCluster"/> that is kept (<see cref="LocalClusterOptions.Name"/>): found by its name, from any
/// process, without starting, stopping or locking anything.
/// </summary>
/// <remarks>
/// Each is a folder of <c>~/.local/state/tidemark/clusters</c> (<c>XDG_STATE_HOME</c> counts), for root of
/// <c>/var/lib/tidemark/clusters</c>;
/// <c>TIDEMARK_CLUSTERS</c> overrides.
/// </remarks>
public sealed class KeptCluster
{
    /// <summary>What <see cref="IsName"/> asks of a name, in the words of an error: after "such a name cannot be used:".</summary>
    public const string NameRule = "letters, digits and . _ - can, of which the first is a letter or digit, at most 63";

    private readonly KeptState _state;

    private KeptCluster(string name, string folder, KeptState state)
    {
        (Name, Folder, _state) = (name, folder, state);
        Nodes = [.. state.Nodes.Index()
            .Select(node => new KeptNode(node.Item.Name, PortBlock.PortOf(state.BasePort, node.Index), state.Database))];
    }

    /// <summary>The name it is kept by.</summary>
    public string Name { get; }

    /// <summary>The folder that holds everything of it.</summary>
    public string Folder { get; }

    /// <summary>All nodes, in the order of their names, running or not.</summary>
    public IReadOnlyList<KeptNode> Nodes { get; }

    /// <summary>The major version of the servers.</summary>
    public int PostgresVersion => _state.PostgresVersion;

    /// <summary>The database in the connection strings.</summary>
    public string Database => _state.Database;

    /// <summary>Whether every commit waits for all replicas (<see cref="LocalClusterOptions.SynchronousReplicas"/>).</summary>
    public bool HasSynchronousReplicas => _state.SynchronousReplicas;

    /// <summary>One connection string with all nodes as hosts, in the keywords of Npgsql. No password.</summary>
    public string ConnectionString => NodeAddress.ConnectionString(Database, Nodes.Select(node => node.Port));

    internal KeptState State => _state;

    /// <summary>
    /// The names of all clusters that are kept, also of those whose state is damaged or whose start or end was cut short, in order.
    /// </summary>
    public static IReadOnlyList<string> FindNames() => FindNames(SearchEnvironment.Current());

    /// <summary>
    /// Whether a cluster can be kept under a name: letters, digits and <c>. _ -</c>, of which the first is a letter or digit; at most 63.
    /// </summary>
    /// <param name="name">The name.</param>
    public static bool IsName(string name) => KeptState.IsName(name);

    /// <summary>Reads what is written about a cluster.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="KeyNotFoundException">No cluster of that name is kept; the message lists those that are.</exception>
    /// <exception cref="LocalClusterException">Its state is damaged, or its start or end was cut short, or is not over.</exception>
    public static KeptCluster Read(string name) => Read(SearchEnvironment.Current(), name);

    /// <summary>
    /// Asks every node what it is and does now, all at once. One that does not accept a connection within 3 s, or then does not answer
    /// within 3 s, is told of as such.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>All nodes, in the order of their names.</returns>
    public async Task<IReadOnlyList<LocalNodeStatus>> AskNodesAsync(CancellationToken cancellationToken = default)
    {
        var nodes =
            await Task.WhenAll(
            _state.Nodes.Select(node => NodeQuestion.AskAsync(_state, node, new NodeFolder(Folder, node.Name), cancellationToken)))
            .ConfigureAwait(false);
        var primary = nodes.First(node => node.Name == _state.Primary);
        return [.. nodes.Select(node => node.Role == LocalNodeRole.Replica && node.Timeline == primary.Timeline && primary.Lsn is { } end
            && node.Lsn is { } at
            ? node with { LagBytes = (ulong)end > (ulong)at ? (long)((ulong)end - (ulong)at) : 0 }
            // A node whose history parted from the primary's streams too, up to where they part, and then for ever nothing.
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
                throw NotFound(environment, name);      // deleted meanwhile
            throw new LocalClusterException(
                $"The cluster {name} is not complete: there is no {KeptState.FileOf(environment.Clusters, name)}. It is being "
                + $"started, or its start or end was cut short; then this ends what is left of it: tidemark cluster down --name {name}",
                    error);
        }
    }

    /// <summary>The blocks of ports that belong to clusters that are kept. Of one whose state cannot be read none is known.</summary>
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

    // Somebody else's, damaged, or just deleted: no reason not to start another cluster. Its servers, if they run, hold their ports
    // themselves.
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
        return new KeyNotFoundException(
            $"There is no cluster {name}; {(names.Count == 0 ? "none is kept" : $"there is {string.Join(", ", names)}")} "
            + $"in {environment.Clusters}. This makes it: tidemark cluster up{(name == "default" ? "" : $" --name {name}")}");
    }
}
