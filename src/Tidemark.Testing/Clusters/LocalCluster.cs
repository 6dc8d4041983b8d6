using System.Globalization;

namespace Tidemark.Testing;

/// <summary>
/// A real PostgreSQL cluster on this machine: a primary and hot standbys that stream from it through physical slots, on loopback,
/// with data that is thrown away, or kept under a name. For tests, samples and trying things out.
/// </summary>
/// <remarks>
/// <para>Servers end and data is deleted with <see cref="DisposeAsync"/>, or when the process ends, however it ends. Only a cluster with a
/// <see cref="LocalClusterOptions.Name"/> outlives its process: <see cref="OpenAsync"/> finds it again, <see cref="DeleteAsync"/> ends
/// it.</para>
/// <para>PostgreSQL is found through <c>TIDEMARK_PG_BIN</c>, <c>PATH</c> and the usual places, or fetched with <c>apt-get</c> or
/// <c>npm</c> into a cache: <c>~/.cache/tidemark</c>, for root <c>/var/cache/tidemark</c> (servers then run as <c>postgres</c> or
/// <c>nobody</c>, who cannot read root's home); <c>TIDEMARK_CACHE</c> overrides.</para>
/// <para>Connections need no password: any user of this machine can connect as a superuser, and so run programs as the user that the
/// servers
/// run as. Put nothing in it that matters.</para>
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

    /// <summary>All nodes, in the order of their names: <c>pg-1</c>, the first primary, then <c>pg-2</c> and so on.</summary>
    public IReadOnlyList<LocalNode> Nodes => _nodes;

    /// <summary>The node that was promoted last, or else the first one.</summary>
    public LocalNode Primary => _primary;

    /// <summary>The nodes that are replicas, running or not. An old primary is none.</summary>
    public IReadOnlyList<LocalNode> Replicas => [.. _nodes.Where(node => node.Follows is not null)];

    /// <summary>The major version of the servers.</summary>
    public int PostgresVersion => Launcher.Binaries.Major;

    internal ClusterLauncher Launcher { get; }

    internal LocalClusterOptions Options => Launcher.Options;

    /// <summary>Whether all servers have started once.</summary>
    internal bool IsComplete { get; set; }

    internal string Folder => Launcher.Folder.Path;

    /// <summary>A node by its name.</summary>
    /// <param name="name">Such as <c>pg-2</c>.</param>
    /// <exception cref="KeyNotFoundException">No node has that name.</exception>
    public LocalNode this[string name] => Array.Find(_nodes, node => node.Name == name)
        ?? throw new KeyNotFoundException($"The cluster has no node {name}; it has {string.Join(", ", _nodes.Select(node => node.Name))}.");

    /// <summary>Starts a primary and its replicas with the default options.</summary>
    /// <param name="replicas">Hot standbys, 0 to 14. Default 2.</param>
    /// <param name="cancellationToken">Ends the start; nothing is left.</param>
    /// <exception cref="LocalClusterException">It could not be started.</exception>
    public static Task<LocalCluster> StartAsync(int replicas = 2, CancellationToken cancellationToken = default) =>
        StartAsync(new LocalClusterOptions { Replicas = replicas }, cancellationToken);

    /// <summary>Starts a cluster and returns when every replica has replayed a first commit.</summary>
    /// <param name="options">What it consists of.</param>
    /// <param name="cancellationToken">Ends the start; nothing is left.</param>
    /// <exception cref="ArgumentException">The options are wrong; the message lists everything that is.</exception>
    /// <exception cref="LocalClusterException">
    /// It could not be started: PostgreSQL is not to be had, or ended, and the message quotes its log.
    /// </exception>
    public static Task<LocalCluster> StartAsync(LocalClusterOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var environment = SearchEnvironment.Current();
        return ClusterLauncher.StartAsync(options, environment, () => PortBlock.Claim(KeptCluster.FindPorts(environment)),
            cancellationToken);
    }

    /// <summary>
    /// Opens a cluster that is kept (<see cref="LocalClusterOptions.Name"/>), as it is: nothing is started. Until it is disposed of, no
    /// other
    /// process can open it; what is written about it can be read all the time (<see cref="KeptCluster"/>).
    /// </summary>
    /// <param name="name">Its name.</param>
    /// <param name="cancellationToken">Ends the wait for another process that has it open.</param>
    /// <exception cref="KeyNotFoundException">No cluster of that name is kept; the message lists those that are.</exception>
    /// <exception cref="LocalClusterException">Another process keeps it open for more than 5 s, or its state is damaged.</exception>
    public static Task<LocalCluster> OpenAsync(string name, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        return ClusterLauncher.OpenAsync(name, SearchEnvironment.Current(), cancellationToken);
    }

    /// <summary>Ends all servers of a cluster that is kept, and deletes everything of it, whatever state it is in.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="cancellationToken">Ends the wait for another process that has it open.</param>
    /// <exception cref="KeyNotFoundException">No cluster of that name is kept; the message lists those that are.</exception>
    /// <exception cref="LocalClusterException">
    /// Another process keeps it open for more than 5 s, or something of it cannot be deleted.
    /// </exception>
    public static Task DeleteAsync(string name, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        return KeptFolder.DeleteAsync(SearchEnvironment.Current(), name, cancellationToken);
    }

    /// <summary>
    /// Waits until every running replica of the primary, except paused ones, has replayed all that the primary had flushed when
    /// this was called. A commit with <c>synchronous_commit = off</c> may not have been flushed.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="LocalClusterException">One has not after <see cref="LocalClusterOptions.Timeout"/>.</exception>
    public async Task WaitForReplayAsync(CancellationToken cancellationToken = default)
    {
        var lsn = await _primary.Replication.FlushPositionAsync(cancellationToken).ConfigureAwait(false);
        foreach (var replica in RunningFollowers())
        {
            if (!await replica.Replication.IsPausedAsync(cancellationToken).ConfigureAwait(false))
                await replica.WaitForReplayAsync(lsn, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Ends all servers at once and deletes their data; of a cluster that is kept, only lets go.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
            return;
        await Launcher.Folder.DisposeAsync().ConfigureAwait(false);
        foreach (var node in _nodes)
            await node.EndAsync(goesOn: Launcher.Folder.IsKept).ConfigureAwait(false);
        Launcher.Dispose();
    }

    /// <summary>Writes down what has changed, of a cluster that is kept.</summary>
    internal void Save()
    {
        if (Launcher.Folder.IsKept)
            Launcher.Save(this);
    }

    /// <summary>Becomes what an earlier process knew.</summary>
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
                $"{next.Name} follows {old.Name}, and {_primary.Name} is the primary since: promoted, it would lose what {_primary.Name} has written, and begin a second timeline of the same number. "
                + $"Start {_primary.Name} and rejoin {next.Name} first.");
        IReadOnlyList<LocalNode> followers = follow ? [.. RunningFollowers().Where(node => node != next)] : [];
        await next.LeaveRecoveryAsync(followers, cancellationToken).ConfigureAwait(false);

        // One write says both, that it is the primary and that it follows nobody: whatever is cut short after it, the next process knows.
        _primary = next;
        await next.BecomePrimaryAsync(followers, cancellationToken).ConfigureAwait(false);
        // Servers write records of their own, and one may have reached only some of the replicas when the old primary died: whoever has it
        // cannot follow.
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
