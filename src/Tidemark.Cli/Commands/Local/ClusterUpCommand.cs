using System.CommandLine;
using Tidemark.Cli.Local;
using Tidemark.Testing;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster up</c>: creates a cluster, or shows an existing one.</summary>
internal sealed class ClusterUpCommand : LocalCommand
{
    private const int MostReplicas = 14;
    private const int OldestVersion = 15;
    private const int NewestVersion = 18;

    private readonly Option<int?> _replicas = Choices.Number(
        "--replicas", $"Number of replicas, 0 to {MostReplicas}. Default: 2.", least: 0, most: MostReplicas);
    private readonly Option<bool> _sync = new("--sync")
    {
        Description = "Use synchronous replication: each commit waits until all replicas have it on disk.",
    };
    private readonly Option<int?> _postgres = Choices.Number("--postgres", "Major version of PostgreSQL, 15 to 18. Default: the installed "
        + "version. A missing version is downloaded.", OldestVersion, NewestVersion);
    private readonly Option<string?> _database =
        new("--database") { Description = "The database to create. Default: store.", HelpName = "NAME" };
    private readonly Option<int[]> _delay = Choices.Numbers(
        "--delay", "Replay delay of the replicas in milliseconds: one value for all, or one per replica, such as 0,500.",
            least: 0, most: int.MaxValue, "MS[,MS…]");
    private readonly Option<bool> _json = JsonOption();

    public ClusterUpCommand(Terminal terminal)
        : base(
            terminal, "up", "Start a primary and its replicas. If interrupted by Ctrl-C, removes everything it created. An existing "
                + "cluster is shown, and started if all its servers are down.",
            "tidemark cluster up", "tidemark cluster up --replicas 3 --delay 0,200,1000",
                "tidemark cluster up --name orders --database orders --postgres 18", "tidemark cluster up --sync --json")
    {
        foreach (var option in new Option[] { _replicas, _sync, _postgres, _database, _delay, _json }) Add(option);
    }

    protected override async Task<ExitCode> RunAsync(string cluster, ParseResult result, CancellationToken cancellationToken)
    {
        var replicas = result.GetValue(_replicas) ?? 2;
        if (result.GetValue(_delay) is { Length: > 1 } delays && delays.Length != replicas)
            throw new CommandException($"--delay has {delays.Length} values for {replicas} replicas: give one value for all, or one per "
                + $"replica.");
        var start = TimeProvider.System.GetTimestamp();
        try
        {
            await Terminal.WithStagesAsync("Starting",
                async report => await (await LocalCluster.StartAsync(Shape(cluster, result, new Stages(report)), cancellationToken))
                .DisposeAsync());
        }
        catch (ArgumentException e)
        {
            throw new CommandException(e.Message.Split(" (Parameter")[0], e);
        }
        catch (LocalClusterException) when (KeptCluster.FindNames().Contains(cluster))
        {
            // The cluster existed, or a concurrent 'up' created it: a failed start leaves no cluster.
            return await ShowAsync(cluster, result, cancellationToken);
        }

        // The cluster is running, so the rest is not cancellable.
        var record = await LocalClusterRecord.ReadAsync(cluster, CancellationToken.None);
        return Write(record, result,
            $"Started {record.Nodes.Count} servers in {Words.Seconds(TimeProvider.System.GetElapsedTime(start))}, in {record.Folder}");
    }

    private async Task<ExitCode> ShowAsync(string cluster, ParseResult result, CancellationToken cancellationToken)
    {
        var record = await LocalClusterRecord.ReadAsync(cluster, cancellationToken);
        if (Differences(record, result).ToList() is { Count: > 0 } differences)
            throw new CommandException(
                $"cluster {cluster} already exists, with other settings: {string.Join("; ", differences)}.\nUse another --name for a new "
                + $"cluster, or delete this one with '{LocalHints.Command(cluster, "down")}'.");
        if (record.Nodes.Any(node => node.Running))
            return Write(record, result, $"Cluster {cluster} is already running, in {record.Folder}");

        // For example after a reboot. An old primary is not started, since it would take writes that no other node has. It is reported.
        List<string> started = [];
        await Terminal.WithStagesAsync("Starting", async report =>
        {
            await using var opened = await LocalCluster.OpenAsync(cluster, cancellationToken);
            List<LocalNode> nodes = [.. opened.Nodes.Where(node => node == opened.Primary || node.Follows == opened.Primary)];
            started = [.. nodes.Select(node => node.Name)];
            report($"Starting {string.Join(", ", nodes)}");
            await Task.WhenAll(nodes.Select(node => node.StartAsync(cancellationToken)));
            report("Waiting until the replicas have caught up");
            if (record.Nodes.All(node => node.DelayMs == 0)) await opened.WaitForReplayAsync(cancellationToken);
        });
        var happened = started.Count == record.Nodes.Count
            ? "and were started" : $"and {string.Join(", ", started)} {(started.Count == 1 ? "was" : "were")} started";
        return Write(await LocalClusterRecord.ReadAsync(cluster, CancellationToken.None), result,
            $"All servers of cluster {cluster} were down {happened}, in {record.Folder}");
    }

    private ExitCode Write(LocalClusterRecord record, ParseResult result, string happened)
    {
        if (result.GetValue(_json))
        {
            Json.Write(Terminal, record);
            return ExitCode.Success;
        }

        Terminal.Line(happened);
        Terminal.Line();
        LocalView.Write(Terminal, record);
        LocalView.WriteNextSteps(Terminal, record);
        return ExitCode.Success;
    }

    private LocalClusterOptions Shape(string cluster, ParseResult result, IProgress<LocalClusterProgress> progress)
    {
        var defaults = new LocalClusterOptions();
        return new LocalClusterOptions
        {
            Name = cluster,
            Replicas = result.GetValue(_replicas) ?? defaults.Replicas,
            SynchronousReplicas = result.GetValue(_sync),
            PostgresVersion = result.GetValue(_postgres),
            Database = result.GetValue(_database) ?? defaults.Database,
            ReplayDelays = [.. (result.GetValue(_delay) ?? []).Select(delay => TimeSpan.FromMilliseconds(delay))],
            Progress = progress,
        };
    }

    // Compares only the options that were given. Without options, any cluster of that name matches.
    private IEnumerable<string> Differences(LocalClusterRecord cluster, ParseResult result)
    {
        if (result.GetValue(_replicas) is { } replicas && replicas != cluster.Nodes.Count - 1)
            yield return $"it has {cluster.Nodes.Count - 1} replicas, but --replicas is {replicas}";
        if (result.GetValue(_sync) && !cluster.SynchronousReplicas) yield return "its replicas are not synchronous, but --sync is given";
        if (result.GetValue(_postgres) is { } version && version != cluster.PostgresVersion)
            yield return $"it has PostgreSQL {cluster.PostgresVersion}, but --postgres is {version}";
        if (result.GetValue(_database) is { } database && database != cluster.Database)
            yield return $"its database is {cluster.Database}, but --database is {database}";
        var replicasNow = cluster.Nodes.Where(node => node.Role == LocalNodeRole.Replica).Select(node => node.DelayMs).ToList();
        if (result.GetValue(_delay) is { Length: > 0 } delays
            && !replicasNow.SequenceEqual(delays.Length == 1 ? Enumerable.Repeat(delays[0], replicasNow.Count) : delays))
            yield return $"its delays are {string.Join(',', replicasNow)} ms; change them with "
                + $"'{LocalHints.Command(cluster.Name, "delay NODE MS")}'";
    }

    /// <summary>Reports synchronously and in order, unlike <see cref="Progress{T}"/>.</summary>
    private sealed class Stages(Action<string> report) : IProgress<LocalClusterProgress>
    {
        public void Report(LocalClusterProgress value) => report(value.Stage);
    }
}
