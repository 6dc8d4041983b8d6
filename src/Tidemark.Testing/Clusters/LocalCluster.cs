using System.Globalization;

namespace Tidemark.Testing;

/// <summary>
/// A real PostgreSQL cluster on this machine: a primary and hot standbys that stream from it through physical slots, on loopback. Its data
/// is temporary, or kept under a name. For tests, samples and experiments.
/// </summary>
/// <remarks>
/// <para><see cref="DisposeAsync"/> stops the servers and deletes the data. So does the end of the process, however it ends. Only a cluster
/// with a <see cref="LocalClusterOptions.Name"/> outlives its process: <see cref="OpenAsync"/> opens it again, and
/// <see cref="DeleteAsync"/> deletes it.</para>
/// <para>PostgreSQL is searched for in <c>TIDEMARK_PG_BIN</c>, <c>PATH</c> and the usual folders. If it is not found, it is fetched with
/// <c>apt-get</c> or <c>npm</c> into a cache: <c>~/.cache/tidemark</c>, or <c>/var/cache/tidemark</c> for root, whose servers run as the
/// user <c>postgres</c> or <c>nobody</c> and cannot read root's home. <c>TIDEMARK_CACHE</c> overrides the folder.</para>
/// <para>Connections need no password: any user of this machine can connect as a superuser, and can therefore run programs as the user
/// that runs the servers. Do not store sensitive data in a local cluster.</para>
/// </remarks>
public sealed class LocalCluster : IAsyncDisposable
{
    private readonly LocalNode[] _nodes;
    private LocalNode _primary;
    private int _isDisposed;

    internal LocalCluster(ClusterLauncher launcher)
    {
        Launcher = launcher;
        _nodes = [.. Enumerable.Range(1, Options.Replicas + 1)
            .Select(number => new LocalNode(this, string.Create(CultureInfo.InvariantCulture, $"pg-{number}")))];
        _primary = _nodes[0];
        foreach (var replica in _nodes.Skip(1))
            replica.Follows = _primary;
    }

    /// <summary>All nodes, ordered by number: <c>pg-1</c>, the first primary, then <c>pg-2</c> and so on.</summary>
    public IReadOnlyList<LocalNode> Nodes => _nodes;

    /// <summary>The node that was promoted last, or the first node if none was promoted.</summary>
    public LocalNode Primary => _primary;

    /// <summary>The nodes that are replicas, running or not. An old primary is not a replica.</summary>
    public IReadOnlyList<LocalNode> Replicas => [.. _nodes.Where(node => node.Follows is not null)];

    /// <summary>The major version of the servers.</summary>
    public int PostgresVersion => Launcher.Binaries.Major;

    internal ClusterLauncher Launcher { get; }

    internal LocalClusterOptions Options => Launcher.Options;

    /// <summary>Whether all servers have started once.</summary>
    internal bool IsComplete { get; set; }

    internal string Folder => Launcher.Folder.Path;

    /// <summary>Returns the node with the given name.</summary>
    /// <param name="name">The name, such as <c>pg-2</c>.</param>
    /// <exception cref="KeyNotFoundException">No node has that name.</exception>
    public LocalNode this[string name] => Array.Find(_nodes, node => node.Name == name)
        ?? throw new KeyNotFoundException($"The cluster has no node {name}; it has {string.Join(", ", _nodes.Select(node => node.Name))}.");

    /// <summary>Starts a primary and its replicas with the default options.</summary>
    /// <param name="replicas">The number of hot standbys: 0 to 14. Default 2.</param>
    /// <param name="cancellationToken">Cancels the start and removes everything it created.</param>
    /// <exception cref="LocalClusterException">The cluster could not be started.</exception>
    public static Task<LocalCluster> StartAsync(int replicas = 2, CancellationToken cancellationToken = default) =>
        StartAsync(new LocalClusterOptions { Replicas = replicas }, cancellationToken);

    /// <summary>Starts a cluster and returns when every replica has replayed a first commit.</summary>
    /// <param name="options">The options of the cluster.</param>
    /// <param name="cancellationToken">Cancels the start and removes everything it created.</param>
    /// <exception cref="ArgumentException">The options are not valid; the message lists all errors.</exception>
    /// <exception cref="LocalClusterException">
    /// The cluster could not be started: PostgreSQL is not available, or a server failed. In the latter case the message quotes its log.
    /// </exception>
    public static Task<LocalCluster> StartAsync(LocalClusterOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var environment = SearchEnvironment.Current();
        return ClusterLauncher.StartAsync(
            options, environment, () => PortBlock.Claim(KeptCluster.FindPorts(environment)), cancellationToken);
    }

    /// <summary>
    /// Opens a kept cluster (<see cref="LocalClusterOptions.Name"/>) without starting any server. No other process can open it until it is
    /// disposed. Its recorded state can be read at any time (<see cref="KeptCluster"/>).
    /// </summary>
    /// <param name="name">The name of the cluster.</param>
    /// <param name="cancellationToken">Cancels the wait for another process that has the cluster open.</param>
    /// <exception cref="KeyNotFoundException">No cluster is kept under that name; the message lists those that are.</exception>
    /// <exception cref="LocalClusterException">
    /// Another process keeps the cluster open for more than 5 s, or its state is damaged.
    /// </exception>
    public static Task<LocalCluster> OpenAsync(string name, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        return ClusterLauncher.OpenAsync(name, SearchEnvironment.Current(), cancellationToken);
    }

    /// <summary>Stops all servers of a kept cluster and deletes the cluster, even if it is damaged or incomplete.</summary>
    /// <param name="name">The name of the cluster.</param>
    /// <param name="cancellationToken">Cancels the wait for another process that has the cluster open.</param>
    /// <exception cref="KeyNotFoundException">No cluster is kept under that name; the message lists those that are.</exception>
    /// <exception cref="LocalClusterException">
    /// Another process keeps the cluster open for more than 5 s, or a part of the cluster cannot be deleted.
    /// </exception>
    public static Task DeleteAsync(string name, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        return KeptFolder.DeleteAsync(SearchEnvironment.Current(), name, cancellationToken);
    }

    /// <summary>
    /// Waits until every running replica of the primary, except paused ones, has replayed everything that the primary had flushed at the
    /// time of the call. A commit with <c>synchronous_commit = off</c> may not have been flushed.
    /// </summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="LocalClusterException">A replica did not catch up within <see cref="LocalClusterOptions.Timeout"/>.</exception>
    public async Task WaitForReplayAsync(CancellationToken cancellationToken = default)
    {
        var lsn = await _primary.Replication.FlushPositionAsync(cancellationToken).ConfigureAwait(false);
        foreach (var replica in RunningFollowers())
        {
            if (!await replica.Replication.IsPausedAsync(cancellationToken).ConfigureAwait(false))
                await replica.WaitForReplayAsync(lsn, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Stops all servers immediately and deletes their data. Closes a kept cluster without stopping it.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
            return;
        await Launcher.Folder.DisposeAsync().ConfigureAwait(false);
        foreach (var node in _nodes)
            await node.EndAsync(keepRunning: Launcher.Folder.IsKept).ConfigureAwait(false);
        Launcher.Dispose();
    }

    /// <summary>Saves the state of a kept cluster. Does nothing for any other cluster.</summary>
    internal void Save()
    {
        if (Launcher.Folder.IsKept)
            Launcher.Save(this);
    }

    /// <summary>Restores the state that an earlier process saved.</summary>
    internal void Restore(KeptState state)
    {
        IsComplete = true;
        foreach (var (index, node) in _nodes.Index())
            node.Port = PortBlock.PortOf(state.BasePort, index);
        foreach (var node in state.Nodes)
            this[node.Name].Restore(node);
        _primary = this[state.Primary];
    }

    internal ServerProcess Launch(NodeFolder folder) => Launcher.Launch(folder);

    internal async Task PromoteAsync(LocalNode next, bool follow, CancellationToken cancellationToken)
    {
        if (next.Follows is { } old && old != _primary)
            throw new InvalidOperationException(
                $"{next.Name} cannot be promoted: it follows {old.Name}, but {_primary.Name} is now the primary. "
                + $"The promotion would lose what {_primary.Name} has written, and create a second timeline with the same number. "
                + $"Start {_primary.Name} and rejoin {next.Name} first.");
        IReadOnlyList<LocalNode> followers = follow ? [.. RunningFollowers().Where(node => node != next)] : [];
        await next.LeaveRecoveryAsync(followers, cancellationToken).ConfigureAwait(false);

        // A single write of the state records both facts: the node is the primary, and it follows no other node. If a later step is
        // interrupted, the next process therefore reads a consistent state.
        _primary = next;
        await next.BecomePrimaryAsync(followers, cancellationToken).ConfigureAwait(false);

        // A server also writes WAL records of its own. When the old primary died, such a record may have reached only some of the replicas.
        // A replica that has received more than the new primary cannot follow it.
        var fork = await next.Replication.ReplayPositionAsync(cancellationToken).ConfigureAwait(false);
        foreach (var node in followers)
        {
            if (await node.Replication.ReceivedPositionAsync(cancellationToken).ConfigureAwait(false) > fork)
                await node.ReplaceHistoryAsync(cancellationToken).ConfigureAwait(false);
            else
                await node.FollowAsync(next, cancellationToken).ConfigureAwait(false);
        }
    }

    private IEnumerable<LocalNode> RunningFollowers() => _nodes.Where(node => node.IsRunning && node.Follows == _primary);
}
