using System.CommandLine;
using Tidemark.Cli.Status;
using Tidemark.Cli.Targets;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark status</c>: the state of a cluster, once or until Ctrl-C.</summary>
internal sealed class StatusCommand : TargetCommand
{
    private const int WidthOfSparkline = 20;

    private readonly Option<bool> _watch = new("--watch", "-w") { Description = "Refresh until Ctrl-C, with the recent staleness." };
    private readonly Option<TimeSpan> _interval =
        Choices.Time("--interval", "With --watch: the refresh interval.", TimeSpan.FromSeconds(1),
        least: TimeSpan.FromMilliseconds(100), most: TimeSpan.FromMinutes(1));
    private readonly Option<bool> _json = JsonOption();

    public StatusCommand(Terminal terminal, TargetEnvironment environment)
        : base(
            terminal, environment, "status", "Show the nodes of a cluster: role, position, timeline, lag, maximum staleness, "
                + "load and health. Exit code 1 if a node does not serve or the primary is missing.",
            "tidemark status", "tidemark status --watch",
                "tidemark status --connection \"Host=pg-1,pg-2;Database=store;Username=app\" --json")
    {
        foreach (var option in new Option[] { _watch, _interval, _json }) Add(option);
        Validators.Add(given =>
        {
            if (given.Has(_interval) && !given.Has(_watch)) given.AddError("--interval requires --watch.");
        });
    }

    protected override async Task<ExitCode> RunAsync(ClusterTarget target, ParseResult result, CancellationToken cancellationToken)
    {
        var interval = result.GetValue(_interval);
        var watches = result.GetValue(_watch);

        // Each probe costs a server a statement, so the probe interval follows the refresh interval.
        if (watches && target.Options is { MaxStaleness: null, DefaultConsistency.MaxStaleness: null } options
            && options.ProbeInterval < interval) options.ProbeInterval = interval / 2;
        await using var reader = await StatusReader.OpenAsync(target, cancellationToken);
        var cluster = await reader.ReadAsync(cancellationToken);
        if (watches) return await WatchAsync(reader, cluster, interval, result.GetValue(_json), cancellationToken);
        if (result.GetValue(_json)) Json.Write(Terminal, cluster);
        else StatusView.Write(Terminal, cluster);
        return CodeOf(cluster);
    }

    private static ExitCode CodeOf(ClusterRecord cluster) => cluster.IsWell ? ExitCode.Success : ExitCode.Finding;

    // Ctrl-C is the normal way to stop watching, so it is not a failure.
    private async Task<ExitCode> WatchAsync(StatusReader reader, ClusterRecord cluster, TimeSpan interval, bool asJson,
        CancellationToken cancellationToken)
    {
        var staleness = cluster.Nodes.ToDictionary(node => node.Name, _ => new Sparkline(WidthOfSparkline));
        using var timer = new PeriodicTimer(interval);
        using var screen = Terminal.OpenScreen();
        try
        {
            do
            {
                foreach (var node in cluster.Nodes) staleness[node.Name].Add(node.StalenessMs);
                if (asJson) Json.WriteLine(Terminal, cluster);
                else screen.Show(terminal => StatusView.Write(terminal, cluster, staleness));
                if (Terminal.OutputFailure is not null) break;
                await timer.WaitForNextTickAsync(cancellationToken);
                cluster = await reader.ReadAsync(cancellationToken);
            }
            while (!cancellationToken.IsCancellationRequested);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }

        return CodeOf(cluster);
    }
}
