using System.CommandLine;
using Tidemark.Cli.Local;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster pause</c>: a replica receives, and shows nothing new.</summary>
internal sealed class PauseCommand(Terminal terminal) : NodeCommand(
    terminal, "pause", "Let a replica fall behind: it receives, and shows no commit from now on. A restart ends the pause.",
        needsNode: true, "tidemark cluster pause pg-2")
{
    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result,
        CancellationToken cancellationToken)
    {
        var replica = cluster.Replica(node!, "a primary replays nothing");
        var wasPaused = (await cluster.ReadAsync(cancellationToken))[node!].Paused;
        await cluster.Running(node!).PauseReplayAsync(cancellationToken);
        var now = (await cluster.ReadAsync(cancellationToken))[node!];
        Terminal.Line(
            $"{replica.Name} is paused{(wasPaused ? " already" : "")}, at {now.Position}. It goes on with: {cluster.Command($"resume {replica.Name}")}");
        return ExitCode.Success;
    }
}
