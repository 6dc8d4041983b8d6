using System.CommandLine;
using Tidemark.Cli.Local;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster pause</c>: pauses the replay of a replica, which still receives WAL.</summary>
internal sealed class PauseCommand(Terminal terminal) : NodeCommand(
    terminal, "pause", "Pause the replay of a replica. It still receives WAL, but shows no new commits. A restart ends the pause.",
        needsNode: true, "tidemark cluster pause pg-2")
{
    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result,
        CancellationToken cancellationToken)
    {
        var replica = cluster.Replica(node!, "a primary does not replay WAL");
        var wasPaused = (await cluster.ReadAsync(cancellationToken))[node!].Paused;
        await cluster.Running(node!).PauseReplayAsync(cancellationToken);
        var now = (await cluster.ReadAsync(cancellationToken))[node!];
        Terminal.Line(
            $"{replica.Name} {(wasPaused ? "was already" : "is")} paused, at {now.Position}. Resume with: "
                + $"{cluster.Command($"resume {replica.Name}")}");
        return ExitCode.Success;
    }
}
