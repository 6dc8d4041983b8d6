using System.Diagnostics.CodeAnalysis;

namespace Tidemark.Testing;

/// <summary>
/// Starts a cluster (binaries, template, copies, ports, servers, first commit) or opens one that was kept. Holds what the running cluster
/// needs of these.
/// </summary>
internal sealed class ClusterLauncher : IDisposable
{
    // Another program can take a port between our check and the server's start. Five failures have another cause.
    private const int MostPortBlocks = 5;

    private readonly SearchEnvironment _environment;
    private readonly ServerUser _user;
    private readonly SemaphoreSlim _search = new(1, 1);
    private bool _areBinariesFound = true;
    private PortBlock? _ports;

    private ClusterLauncher(
        LocalClusterOptions options, SearchEnvironment environment, ServerUser user, PostgresBinaries binaries, ClusterFolder folder) =>
        (Options, _environment, _user, Binaries, Folder) = (options, environment, user, binaries, folder);

    public LocalClusterOptions Options { get; }

    /// <summary>
    /// The servers' programs. In a cluster that was opened, the recorded folder, until <see cref="FindBinariesAsync"/> has checked it.
    /// </summary>
    public PostgresBinaries Binaries { get; private set; }

    public ClusterFolder Folder { get; }

    [SuppressMessage("Reliability", "CA2000", Justification = "The cluster that is returned owns the folder.")]
    public static async Task<LocalCluster> StartAsync(
        LocalClusterOptions options, SearchEnvironment environment, Func<PortBlock> claimPorts, CancellationToken cancellationToken)
    {
        if (options.FindErrors().ToList() is { Count: > 0 } errors)
            throw new ArgumentException(string.Join('\n', errors), nameof(options));

        var start = options.TimeProvider.GetTimestamp();
        void Report(string stage) => options.Progress?.Report(new LocalClusterProgress(stage, options.TimeProvider.GetElapsedTime(start)));

        if (options.Name is { } name)
            KeptFolder.RefuseNameInUse(environment, name);      // fails before any download; the check under the lock is the decisive one
        var user = ServerUser.Choose(environment);
        var binaries = await new PostgresPackages(environment, Report)
            .ObtainAsync(options.PostgresVersion, cancellationToken).ConfigureAwait(false);
        Report($"Using {binaries.Version} in {binaries.Folder}");
        var template = await new ClusterTemplate(environment, binaries, user, options.Database)
            .EnsureAsync(Report, cancellationToken).ConfigureAwait(false);
        var folder = options.Name is { } kept
            ? await KeptFolder.CreateAsync(kept, options, environment, user, cancellationToken).ConfigureAwait(false)
            : await ClusterFolder.CreateAsync(options, environment, user).ConfigureAwait(false);
        var cluster = new LocalCluster(new ClusterLauncher(options, environment, user, binaries, folder));
        try
        {
            await cluster.Launcher.RaiseAsync(cluster, template, claimPorts, Report, cancellationToken).ConfigureAwait(false);
            if (options.Name is not null)
            {
                cluster.Launcher.Save(cluster);
                await folder.KeepAsync().ConfigureAwait(false);
            }

            Report("Ready");
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    [SuppressMessage("Reliability", "CA2000", Justification = "The cluster that is returned owns the folder.")]
    public static async Task<LocalCluster> OpenAsync(string name, SearchEnvironment environment, CancellationToken cancellationToken)
    {
        var folder = await KeptFolder.OpenAsync(environment, name, cancellationToken).ConfigureAwait(false);
        try
        {
            var state = KeptCluster.Read(environment, name).State;
            var user = ServerUser.Choose(environment);
            var recorded = new PostgresBinaries(state.Binaries, Version: "", state.PostgresVersion);
            var launcher = new ClusterLauncher(state.ToOptions(name), environment, user, recorded, folder) { _areBinariesFound = false };
            var cluster = new LocalCluster(launcher);
            cluster.Restore(state);
            return cluster;
        }
        catch
        {
            await folder.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Checks that the programs of an opened cluster are still in the recorded folder. If not, finds or fetches others of the same version.
    /// Only operations that start or rewind servers need this.
    /// </summary>
    public async Task FindBinariesAsync(CancellationToken cancellationToken)
    {
        await _search.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (!_areBinariesFound)
            {
                Binaries = await PostgresBinaries.TryAsync(Binaries.Folder, Binaries.Major, [], _user, cancellationToken)
                        .ConfigureAwait(false)
                    ?? await new PostgresPackages(_environment, _ => { }).ObtainAsync(Binaries.Major, cancellationToken)
                        .ConfigureAwait(false);
                _areBinariesFound = true;
            }
        }
        finally
        {
            _search.Release();
        }
    }

    /// <summary>Saves the state that the next process needs. Only for a kept cluster.</summary>
    public void Save(LocalCluster cluster)
    {
        var state = new KeptState
        {
            Binaries = Binaries.Folder,
            PostgresVersion = Binaries.Major,
            Database = Options.Database,
            BasePort = PortBlock.BaseOf(cluster.Nodes[0].Port),
            SynchronousReplicas = Options.SynchronousReplicas,
            Settings = Options.Settings.ToDictionary(),
            Primary = cluster.Primary.Name,
            Nodes = [.. cluster.Nodes.Select(node => node.ToState())],
        };
        state.Write(Folder.Path);
    }

    public ServerProcess Launch(NodeFolder node) => ServerProcess.Launch(node, Binaries, _user, _environment.FindProgram("setsid"));

    /// <summary>Runs a PostgreSQL program as the user of the servers.</summary>
    public Task<ExternalProgram.Outcome> RunAsync(IReadOnlyList<string> command, CancellationToken cancellationToken) =>
        ExternalProgram.RunAsync(Binaries.Describe(command, _user), "", cancellationToken);

    /// <summary>Replaces the data of a stopped node with a copy of a running primary's data.</summary>
    public async Task CopyAsync(LocalNode primary, NodeFolder target, CancellationToken cancellationToken)
    {
        // The copy is made next to the old data, which stays until the copy is complete.
        var copy = target.Data + ".new";
        if (Directory.Exists(copy))
            Directory.Delete(copy, recursive: true);
        await _user.MakePrivateFolderAsync(copy, cancellationToken).ConfigureAwait(false);
        var connection = primary.Connection();
        await using (connection.ConfigureAwait(false))
            await BackupCopy.RunAsync(connection, primary.DataDirectory, copy, _user, cancellationToken).ConfigureAwait(false);
        if (Directory.Exists(target.Data))
            await RemoveAsync(target.Data).ConfigureAwait(false);
        Directory.Move(copy, target.Data);
    }

    // Uses the watchdog's cleanup: a killed server leaves shared memory that can be found only through its data directory.
    private static async Task RemoveAsync(string data)
    {
        var gone = data + ".gone";
        if (Directory.Exists(gone))
            await Watchdog.CleanAsync(gone).ConfigureAwait(false);
        UnixFolder.MakePrivate(gone);
        Directory.Move(data, Path.Combine(gone, Path.GetFileName(data)));
        await Watchdog.CleanAsync(gone).ConfigureAwait(false);
    }

    /// <summary>Makes the user of the servers the owner of all files of a node, including files that another user wrote.</summary>
    public Task GiveAsync(NodeFolder folder, CancellationToken cancellationToken) => _user.GiveAsync(folder.Data, cancellationToken);

    /// <summary>Makes the server in a folder a standby from its next start.</summary>
    public Task MakeStandbyAsync(NodeFolder folder, CancellationToken cancellationToken) =>
        WriteAsync(folder.StandbySignal, "", cancellationToken);

    /// <summary>Replaces a file in the data directory of a server.</summary>
    public Task WriteAsync(string path, string text, CancellationToken cancellationToken) =>
        _user.WriteAsync(path, text, cancellationToken);

    public void Dispose()
    {
        _ports?.Dispose();
        _search.Dispose();
    }

    private async Task RaiseAsync(
        LocalCluster cluster, string template, Func<PortBlock> claimPorts, Action<string> report, CancellationToken cancellationToken)
    {
        report($"Copying the template for {cluster.Nodes.Count} nodes");
        await CopyAsync(cluster, template, cancellationToken).ConfigureAwait(false);
        for (var attempt = 1; ; attempt++)
        {
            _ports?.Dispose();
            _ports = claimPorts();
            foreach (var (index, node) in cluster.Nodes.Index())
                node.Port = _ports.PortOf(index);
            report($"Starting {string.Join(", ", cluster.Nodes.Select(node => node.ToString()))}");
            try
            {
                await LaunchAllAsync(cluster, cancellationToken).ConfigureAwait(false);
                break;
            }
            catch (LocalClusterException error) when (attempt < MostPortBlocks
                && error.Message.Contains("Address already in use", StringComparison.Ordinal))
            {
                report("Another program took a port; trying other ports");
                await Task.WhenAll(cluster.Nodes.Select(node => node.StopAsync(StopMode.Immediate, cancellationToken)))
                    .ConfigureAwait(false);
            }
        }

        report("Waiting for every replica to replay a first commit");
        await CommitEverywhereAsync(cluster, cancellationToken).ConfigureAwait(false);
        cluster.IsComplete = true;
        await DelayAsync(cluster, cancellationToken).ConfigureAwait(false);
    }

    private async Task CopyAsync(LocalCluster cluster, string template, CancellationToken cancellationToken)
    {
        foreach (var node in cluster.Nodes)
            await _user.MakePrivateFolderAsync(node.DataDirectory, cancellationToken).ConfigureAwait(false);
        var primary = cluster.Primary.DataDirectory;
        await RunAsUserAsync("cp -Rp \"$1/.\" \"$2\"", [template, primary], cancellationToken).ConfigureAwait(false);
        SystemIdentity.Renew(primary);
        await RunAsUserAsync(
            "from=$1; shift; for standby; do cp -Rp \"$from/.\" \"$standby\"; : >\"$standby/standby.signal\"; done",
            [primary, .. cluster.Replicas.Select(replica => replica.DataDirectory)], cancellationToken).ConfigureAwait(false);
    }

    // Runs as the user of the servers, who must own the files.
    private async Task RunAsUserAsync(string script, string[] arguments, CancellationToken cancellationToken)
    {
        var command = _user.Run(["/bin/sh", "-e", "-c", script, "sh", .. arguments]);
        var outcome = await ExternalProgram.RunAsync(command, cancellationToken).ConfigureAwait(false);
        if (outcome.Succeeded)
            return;
        var setting = Options.Name is null ? "LocalClusterOptions.Directory" : SearchEnvironment.ClustersVariable;
        throw new LocalClusterException($"{arguments[0]} could not be copied to {Folder.Path} as {_user.Name}: {outcome.Text}\n"
            + $"To create clusters in another folder, set {setting}.");
    }

    private static async Task LaunchAllAsync(LocalCluster cluster, CancellationToken cancellationToken)
    {
        cluster.Primary.ExpectFollowers(cluster.Replicas);
        foreach (var node in cluster.Nodes)
        {
            await node.WriteSettingsAsync(cancellationToken).ConfigureAwait(false);
            node.Launch();
        }

        // The slots are created while the standbys start, so that most standbys find theirs at the first attempt.
        await cluster.Primary.WaitUntilAcceptingAsync(cancellationToken).ConfigureAwait(false);
        foreach (var replica in cluster.Replicas)
            await cluster.Primary.Replication.ReserveSlotAsync(replica.Name, cancellationToken).ConfigureAwait(false);
        foreach (var replica in cluster.Replicas)
            await replica.WaitUntilAcceptingAsync(cancellationToken).ConfigureAwait(false);
    }

    // Runs last: otherwise the first commit would have to wait for the delays.
    private static async Task DelayAsync(LocalCluster cluster, CancellationToken cancellationToken)
    {
        var delays = cluster.Options.ReplayDelays;
        foreach (var (index, replica) in cluster.Replicas.Index())
        {
            // A kept cluster's replica gets some settings only when the cluster is complete, so this runs even without a delay.
            if (delays.Count == 0 && cluster.Options.Name is null)
                continue;
            var delay = delays.Count == 0 ? TimeSpan.Zero : delays[delays.Count == 1 ? 0 : index];
            await replica.DelayReplayAsync(delay, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task CommitEverywhereAsync(LocalCluster cluster, CancellationToken cancellationToken)
    {
        var options = cluster.Options;
        using var limit = new CancellationTokenSource(options.Timeout, options.TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            const string sql = "BEGIN; SET LOCAL synchronous_commit = remote_apply; SELECT pg_current_xact_id()::text; COMMIT";
            await cluster.Primary.QueryAsync<object>(sql, either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new LocalClusterException($"At least one replica did not replay a first commit within {options.Timeout.TotalSeconds} s "
                + $"(LocalClusterOptions.Timeout).\n{string.Join('\n', cluster.Nodes.Select(node => node.QuoteLog()))}");
        }
    }
}
