using System.Diagnostics.CodeAnalysis;

namespace Tidemark.Testing;

/// <summary>
/// Brings a cluster up: binaries, template, copies, ports, servers, first commit. Holds what the cluster needs of that while it lives.
/// </summary>
internal sealed class ClusterLauncher : IDisposable
{
    // A port can be taken between our look and the server's; twice is bad luck, five times is something else.
    private const int MostPortBlocks = 5;

    private readonly SearchEnvironment _environment;
    private readonly ServerUser _user;
    private PortBlock? _ports;

    private ClusterLauncher(
        LocalClusterOptions options, SearchEnvironment environment, ServerUser user, PostgresBinaries binaries, ClusterFolder folder) =>
        (Options, _environment, _user, Binaries, Folder) = (options, environment, user, binaries, folder);

    public LocalClusterOptions Options { get; }

    public PostgresBinaries Binaries { get; }

    public ClusterFolder Folder { get; }

    [SuppressMessage("Reliability", "CA2000", Justification = "The cluster that is returned owns the folder.")]
    public static async Task<LocalCluster> StartAsync(
        LocalClusterOptions options, SearchEnvironment environment, Func<PortBlock> claimPorts, CancellationToken cancellationToken)
    {
        if (options.FindErrors().ToList() is { Count: > 0 } errors)
            throw new ArgumentException(string.Join('\n', errors), nameof(options));

        var start = options.TimeProvider.GetTimestamp();
        void Report(string stage) => options.Progress?.Report(new LocalClusterProgress(stage, options.TimeProvider.GetElapsedTime(start)));

        var user = ServerUser.Choose(environment);
        var binaries = await new PostgresPackages(environment, Report).ObtainAsync(options.PostgresVersion, cancellationToken).ConfigureAwait(false);
        Report($"Using {binaries.Version} in {binaries.Folder}");
        var template = await new ClusterTemplate(environment, binaries, user, options.Database).EnsureAsync(Report, cancellationToken).ConfigureAwait(false);
        var folder = await ClusterFolder.CreateAsync(options, environment, user, cancellationToken).ConfigureAwait(false);
        var cluster = new LocalCluster(new ClusterLauncher(options, environment, user, binaries, folder));
        try
        {
            await cluster.Launcher.RaiseAsync(cluster, template, claimPorts, Report, cancellationToken).ConfigureAwait(false);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public ServerProcess Launch(NodeFolder node) => ServerProcess.Launch(node, Binaries, _user, _environment.FindProgram("setsid"));

    public void Dispose() => _ports?.Dispose();

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
                report("A port was taken meanwhile; trying others");
                await Task.WhenAll(cluster.Nodes.Select(node => node.StopAsync(StopMode.Immediate, cancellationToken))).ConfigureAwait(false);
            }
        }

        report("Waiting until every replica has replayed a first commit");
        await CommitEverywhereAsync(cluster, cancellationToken).ConfigureAwait(false);
        report("Ready");
    }

    private async Task CopyAsync(LocalCluster cluster, string template, CancellationToken cancellationToken)
    {
        var primary = cluster.Primary.DataDirectory;
        await RunAsUserAsync("cp -Rp \"$1\" \"$2\"", [template, primary], cancellationToken).ConfigureAwait(false);
        SystemIdentity.Renew(primary);
        await RunAsUserAsync(
            "from=$1; shift; for standby; do cp -Rp \"$from\" \"$standby\"; : >\"$standby/standby.signal\"; done",
            [primary, .. cluster.Replicas.Select(replica => replica.DataDirectory)], cancellationToken).ConfigureAwait(false);
    }

    // As the user of the servers, who must own the files.
    private async Task RunAsUserAsync(string script, string[] arguments, CancellationToken cancellationToken)
    {
        var outcome = await Command.RunAsync(_user.Run(["/bin/sh", "-e", "-c", script, "sh", .. arguments]), cancellationToken).ConfigureAwait(false);
        if (!outcome.Succeeded)
            throw new LocalClusterException($"{arguments[0]} could not be copied to {Folder.Path} as {_user.Name}: {outcome.Text}\n"
                + "LocalClusterOptions.Directory decides where clusters are made.");
    }

    private static async Task LaunchAllAsync(LocalCluster cluster, CancellationToken cancellationToken)
    {
        cluster.Primary.ExpectFollowers(cluster.Replicas);
        foreach (var node in cluster.Nodes)
        {
            node.WriteSettings();
            node.Launch();
        }

        // The slots are made while the standbys start, so that most of them find theirs at the first attempt.
        await cluster.Primary.WaitUntilAcceptingAsync(cancellationToken).ConfigureAwait(false);
        foreach (var replica in cluster.Replicas)
            await cluster.Primary.ReserveSlotAsync(replica, cancellationToken).ConfigureAwait(false);
        foreach (var replica in cluster.Replicas)
            await replica.WaitUntilAcceptingAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task CommitEverywhereAsync(LocalCluster cluster, CancellationToken cancellationToken)
    {
        var options = cluster.Options;
        using var limit = new CancellationTokenSource(options.Timeout, options.TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await cluster.Primary.AskAsync<object>(
                "BEGIN; SET LOCAL synchronous_commit = remote_apply; SELECT pg_current_xact_id()::text; COMMIT", either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new LocalClusterException($"Not every replica replayed a first commit within {options.Timeout.TotalSeconds} s "
                + $"(LocalClusterOptions.Timeout).\n{string.Join('\n', cluster.Nodes.Select(node => node.QuoteLog()))}");
        }
    }
}
