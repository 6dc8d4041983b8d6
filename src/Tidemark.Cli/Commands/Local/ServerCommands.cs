using System.CommandLine;
using Tidemark.Cli.Local;
using Tidemark.Testing;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster stop</c>: ends a server in an orderly way, or at once.</summary>
internal sealed class StopCommand : NodeCommand
{
    private readonly Option<bool> _immediate = new("--immediate") { Description = "Without writing anything: it recovers at its next start, as after a crash." };

    public StopCommand(Terminal terminal)
        : base(terminal, "stop", "Stop a server.", needsNode: true, "tidemark cluster stop pg-2", "tidemark cluster stop pg-1 --immediate") => Add(_immediate);

    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result, CancellationToken cancellationToken)
    {
        var server = cluster.Cluster[node!];
        if (!server.IsRunning)
        {
            Terminal.Line($"{node} is down already.");
            return ExitCode.Success;
        }

        await server.StopAsync(result.GetValue(_immediate) ? StopMode.Immediate : StopMode.Fast, cancellationToken);
        Terminal.Line($"{node} is stopped.");
        cluster.TellFindings(await cluster.ReadAsync(cancellationToken));
        return ExitCode.Success;
    }
}

/// <summary><c>tidemark cluster kill</c>: what a power failure does to a server.</summary>
internal sealed class KillCommand(Terminal terminal) : NodeCommand(
    terminal, "kill", "Kill a server (SIGKILL to its postmaster), as a crash would.", needsNode: true, "tidemark cluster kill pg-1")
{
    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result, CancellationToken cancellationToken)
    {
        var server = cluster.Cluster[node!];
        if (server.ProcessId is not { } process) throw new CommandException($"{node} is down already: there is nothing to kill.");
        await server.KillAsync(cancellationToken);
        Terminal.Line($"{node} is killed: process {process} and all that it had started are gone.");
        cluster.TellFindings(await cluster.ReadAsync(cancellationToken));
        return ExitCode.Success;
    }
}

/// <summary><c>tidemark cluster start</c>: starts servers that are down.</summary>
internal sealed class StartCommand(Terminal terminal) : NodeCommand(
    terminal, "start", "Start a server that is down, in the role it had; without NODE, the primary and its replicas.", needsNode: false, "tidemark cluster start pg-2", "tidemark cluster start")
{
    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result, CancellationToken cancellationToken)
    {
        // An old primary would take writes that nobody else sees: it is told of, with its remedy.
        var primary = cluster.Cluster.Primary;
        List<LocalNode> nodes = node is null ? [.. cluster.Cluster.Nodes.Where(each => !each.IsRunning && (each == primary || each.Follows == primary))] : [cluster.Cluster[node]];
        if (nodes.Count == 0) Terminal.Line(cluster.Cluster.Nodes.All(each => each.IsRunning) ? "All servers run already." : "The primary and its replicas run already.");
        foreach (var running in nodes.Where(each => each.IsRunning)) Terminal.Line($"{running.Name} runs already.");
        await Task.WhenAll(nodes.Select(server => server.StartAsync(cancellationToken)));

        // Replicas of a primary that was down try again within a second.
        var now = await cluster.SettleAsync(each => nodes.Any(started => started.Name == each.Name || (started == primary && each.Running && each.Follows == primary.Name)), cancellationToken);
        foreach (var server in nodes) cluster.Tell(now[server.Name]);
        cluster.TellFindings(now);
        return ExitCode.Success;
    }
}
