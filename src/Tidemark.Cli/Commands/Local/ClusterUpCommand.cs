using System.CommandLine;
using Tidemark.Cli.Local;
using Tidemark.Testing;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster up</c>: makes a cluster, or says that it is there.</summary>
internal sealed class ClusterUpCommand : LocalCommand
{
    private const int MostReplicas = 14;
    private const int OldestVersion = 15;
    private const int NewestVersion = 18;

    private readonly Option<int?> _replicas = Choices.Number("--replicas", $"Replicas beside the primary, 0 to {MostReplicas}; 2 by "
        + "default.", least: 0, most: MostReplicas);
    private readonly Option<bool> _sync = new("--sync") { Description = "Every commit waits until all replicas have it on disk." };
    private readonly Option<int?> _postgres = Choices.Number("--postgres", "Version of PostgreSQL, 15 to 18; the one that is found by "
        + "default. One that is not there is downloaded.", OldestVersion, NewestVersion);
    private readonly Option<string?> _database =
        new("--database") { Description = "The database to make; store by default.", HelpName = "NAME" };
    private readonly Option<int[]> _delay = Choices.Numbers(
        "--delay", "Milliseconds that replicas let a commit wait before they show it: one number for all, or one for each, such as 0,500.",
            least: 0, most: int.MaxValue, "MS[,MS…]");
    private readonly Option<bool> _json = JsonOption();

    public ClusterUpCommand(Terminal terminal)
        : base(
            terminal, "up", "Start a primary and its replicas. Ctrl-C before the end leaves nothing behind. A cluster that is there "
                + "already is shown, and started if all its servers are down.",
            "tidemark cluster up", "tidemark cluster up --replicas 3 --delay 0,200,1000",
                "tidemark cluster up --name orders --database orders --postgres 18", "tidemark cluster up --sync --json")
    {
        foreach (var option in new Option[] { _replicas, _sync, _postgres, _database, _delay, _json }) Add(option);
    }

    protected override async Task<ExitCode> RunAsync(string cluster, ParseResult result, CancellationToken cancellationToken)
    {
        var replicas = result.GetValue(_replicas) ?? 2;
        if (result.GetValue(_delay) is { Length: > 1 } delays && delays.Length != replicas)
            throw new CommandException($"--delay has {delays.Length} numbers for {replicas} replicas: give one for all, or one for each.");
        var start = TimeProvider.System.GetTimestamp();
        try
        {
            await Terminal.WithStagesAsync("Starting",
                async tell => await (await LocalCluster.StartAsync(Shape(cluster, result, new Stages(tell)), cancellationToken))
                .DisposeAsync());
        }
        catch (ArgumentException e)
        {
            throw new CommandException(e.Message.Split(" (Parameter")[0], e);
        }
        catch (LocalClusterException) when (KeptCluster.FindNames().Contains(cluster))
        {
            // It was there, or another 'up' was quicker: a start that fails leaves none.
            return await ShowAsync(cluster, result, cancellationToken);
        }

        // It is there: nothing can be taken back any more.
        var record = await LocalClusterRecord.ReadAsync(cluster, CancellationToken.None);
        return Write(record, result,
            $"Started {record.Nodes.Count} servers in {Words.Seconds(TimeProvider.System.GetElapsedTime(start))}, in {record.Folder}");
    }

    private async Task<ExitCode> ShowAsync(string cluster, ParseResult result, CancellationToken cancellationToken)
    {
        var record = await LocalClusterRecord.ReadAsync(cluster, cancellationToken);
        if (Differences(record, result).ToList() is { Count: > 0 } differences)
            throw new CommandException(
                $"there is a cluster {cluster} already, and it stays as it is: {string.Join("; ", differences)}.\nAnother --name makes "
                + $"another one; '{LocalHints.Command(cluster, "down")}' deletes this one.");
        if (record.Nodes.Any(node => node.Running))
            return Write(record, result, $"There is a cluster {cluster} already, in {record.Folder}");

        // As after the machine was started again. An old primary would take writes that nobody else sees: it is told of, with its remedy.
        List<string> started = [];
        await Terminal.WithStagesAsync("Starting", async tell =>
        {
            await using var opened = await LocalCluster.OpenAsync(cluster, cancellationToken);
            List<LocalNode> nodes = [.. opened.Nodes.Where(node => node == opened.Primary || node.Follows == opened.Primary)];
            started = [.. nodes.Select(node => node.Name)];
            tell($"Starting {string.Join(", ", nodes)}");
            await Task.WhenAll(nodes.Select(node => node.StartAsync(cancellationToken)));
            tell("Waiting until every replica has replayed what the primary has");
            if (record.Nodes.All(node => node.DelayMs == 0)) await opened.WaitForReplayAsync(cancellationToken);
        });
        var happened = started.Count == record.Nodes.Count
            ? "and were started again" : $"and {string.Join(", ", started)} {(started.Count == 1 ? "was" : "were")} started again";
        return Write(await LocalClusterRecord.ReadAsync(cluster, CancellationToken.None), result,
            $"All servers of the cluster {cluster} were down, {happened}, in {record.Folder}");
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

    // Only what was asked for counts: without options, any cluster of that name is the one.
    private IEnumerable<string> Differences(LocalClusterRecord cluster, ParseResult result)
    {
        if (result.GetValue(_replicas) is { } replicas && replicas != cluster.Nodes.Count - 1)
            yield return $"it has {cluster.Nodes.Count} nodes, and --replicas {replicas} asks for {replicas + 1}";
        if (result.GetValue(_sync) && !cluster.SynchronousReplicas) yield return "its replicas are not synchronous, as --sync asks";
        if (result.GetValue(_postgres) is { } version && version != cluster.PostgresVersion)
            yield return $"it has PostgreSQL {cluster.PostgresVersion}, and --postgres asks for {version}";
        if (result.GetValue(_database) is { } database && database != cluster.Database)
            yield return $"its database is {cluster.Database}, and --database asks for {database}";
        var replicasNow = cluster.Nodes.Where(node => node.Role == LocalNodeRole.Replica).Select(node => node.DelayMs).ToList();
        if (result.GetValue(_delay) is { Length: > 0 } delays
            && !replicasNow.SequenceEqual(delays.Length == 1 ? Enumerable.Repeat(delays[0], replicasNow.Count) : delays))
            yield return $"its delays are {string.Join(',', replicasNow)} ms, which '{LocalHints.Command(cluster.Name, "delay NODE MS")}' changes";
    }

    /// <summary>Reports at once and in order, which <see cref="Progress{T}"/> does not.</summary>
    private sealed class Stages(Action<string> tell) : IProgress<LocalClusterProgress>
    {
        public void Report(LocalClusterProgress value) => tell(value.Stage);
    }
}
