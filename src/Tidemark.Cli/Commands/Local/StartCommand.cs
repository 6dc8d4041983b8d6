using System.CommandLine;
using Tidemark.Cli.Local;
using Tidemark.Testing;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster start</c>: starts servers that are down.</summary>
internal sealed class StartCommand(Terminal terminal) : NodeCommand(
    terminal, "start", "Start a server in its previous role. Without NODE, start the primary and its replicas.", needsNode: false,
        "tidemark cluster start pg-2", "tidemark cluster start")
{
    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result,
        CancellationToken cancellationToken)
    {
        // An old primary is not started, since it would take writes that no other node has. It is reported with the remedy.
        var primary = cluster.Cluster.Primary;
        List<LocalNode> nodes = node is null
            ? [.. cluster.Cluster.Nodes.Where(each => !each.IsRunning && (each == primary || each.Follows == primary))]
            : [cluster.Cluster[node]];
        if (nodes.Count == 0)
            Terminal.Line(cluster.Cluster.Nodes.All(each => each.IsRunning)
            ? "All servers are already running." : "The primary and its replicas are already running.");
        foreach (var running in nodes.Where(each => each.IsRunning)) Terminal.Line($"{running.Name} is already running.");
        await Task.WhenAll(nodes.Select(server => server.StartAsync(cancellationToken)));

        // Replicas of a primary that was down reconnect within a second.
        var now = await cluster.SettleAsync(each =>
            nodes.Any(started => started.Name == each.Name || (started == primary && each.Running && each.Follows == primary.Name)),
            cancellationToken);
        foreach (var server in nodes) cluster.Report(now[server.Name]);
        cluster.WriteFindings(now);
        return ExitCode.Success;
    }
}
