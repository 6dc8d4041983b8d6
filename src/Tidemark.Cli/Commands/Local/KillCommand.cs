using System.CommandLine;
using Tidemark.Cli.Local;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster kill</c>: what a power failure does to a server.</summary>
internal sealed class KillCommand(Terminal terminal) : NodeCommand(
    terminal, "kill", "Kill a server (SIGKILL to its postmaster), as a crash would.", needsNode: true, "tidemark cluster kill pg-1")
{
    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result,
        CancellationToken cancellationToken)
    {
        var server = cluster.Cluster[node!];
        if (server.ProcessId is not { } process) throw new CommandException($"{node} is down already: there is nothing to kill.");
        await server.KillAsync(cancellationToken);
        Terminal.Line($"{node} is killed: process {process} and all that it had started are gone.");
        cluster.TellFindings(await cluster.ReadAsync(cancellationToken));
        return ExitCode.Success;
    }
}
