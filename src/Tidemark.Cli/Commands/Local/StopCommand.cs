using System.CommandLine;
using Tidemark.Cli.Local;
using Tidemark.Testing;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster stop</c>: stops a server, orderly or immediately.</summary>
internal sealed class StopCommand : NodeCommand
{
    private readonly Option<bool> _immediate =
        new("--immediate") { Description = "Stop without a checkpoint. The server recovers at its next start, as after a crash." };

    public StopCommand(Terminal terminal)
        : base(terminal, "stop", "Stop a server.", needsNode: true, "tidemark cluster stop pg-2",
            "tidemark cluster stop pg-1 --immediate") => Add(_immediate);

    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result,
        CancellationToken cancellationToken)
    {
        var server = cluster.Cluster[node!];
        if (!server.IsRunning)
        {
            Terminal.Line($"{node} is already down.");
            return ExitCode.Success;
        }

        await server.StopAsync(result.GetValue(_immediate) ? StopMode.Immediate : StopMode.Fast, cancellationToken);
        Terminal.Line($"Stopped {node}.");
        cluster.WriteFindings(await cluster.ReadAsync(cancellationToken));
        return ExitCode.Success;
    }
}
