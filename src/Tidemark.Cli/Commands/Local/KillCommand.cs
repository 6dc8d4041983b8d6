using System.CommandLine;
using Tidemark.Cli.Local;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster kill</c>: kills a server, as in a power failure.</summary>
internal sealed class KillCommand(Terminal terminal) : NodeCommand(
    terminal, "kill", "Kill a server (SIGKILL to its postmaster), as in a crash.", needsNode: true, "tidemark cluster kill pg-1")
{
    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result,
        CancellationToken cancellationToken)
    {
        var server = cluster.Cluster[node!];
        if (server.ProcessId is not { } process) throw new CommandException($"{node} is already down.");
        await server.KillAsync(cancellationToken);
        Terminal.Line($"Killed {node}: process {process} and its child processes.");
        cluster.WriteFindings(await cluster.ReadAsync(cancellationToken));
        return ExitCode.Success;
    }
}
