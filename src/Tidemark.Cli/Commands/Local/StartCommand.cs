using System.CommandLine;
using Tidemark.Cli.Local;
using Tidemark.Testing;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster start</c>: starts servers that are down.</summary>
internal sealed class StartCommand(Terminal terminal) : NodeCommand(
    terminal, "start", "Start a server that is down, in the role it had; without NODE, the primary and its replicas.", needsNode: false,
        "tidemark cluster start pg-2", "tidemark cluster start")
{
    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result,
        CancellationToken cancellationToken)
    {
        // An old primary would take writes that nobody else sees: it is told of, with its remedy.
        var primary = cluster.Cluster.Primary;
        List<LocalNode> nodes = node is null
            ? [.. cluster.Cluster.Nodes.Where(each => !each.IsRunning && (each == primary || each.Follows == primary))]
            : [cluster.Cluster[node]];
        if (nodes.Count == 0)
            Terminal.Line(cluster.Cluster.Nodes.All(each => each.IsRunning)
            ? "All servers run already." : "The primary and its replicas run already.");
        foreach (var running in nodes.Where(each => each.IsRunning)) Terminal.Line($"{running.Name} runs already.");
        await Task.WhenAll(nodes.Select(server => server.StartAsync(cancellationToken)));

        // Replicas of a primary that was down try again within a second.
        var now = await cluster.SettleAsync(each =>
            nodes.Any(started => started.Name == each.Name || (started == primary && each.Running && each.Follows == primary.Name)),
            cancellationToken);
        foreach (var server in nodes) cluster.Tell(now[server.Name]);
        cluster.TellFindings(now);
        return ExitCode.Success;
    }
}
