using System.CommandLine;
using Tidemark.Cli.Local;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster resume</c>: ends a pause.</summary>
internal sealed class ResumeCommand(Terminal terminal) : NodeCommand(
    terminal, "resume", "Let a paused replica catch up.", needsNode: true, "tidemark cluster resume pg-2")
{
    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result,
        CancellationToken cancellationToken)
    {
        cluster.Replica(node!, "a primary replays nothing");
        var replica = cluster.Running(node!);
        if (!(await cluster.ReadAsync(cancellationToken))[node!].Paused) throw new CommandException($"{node} is not paused.");
        await replica.ResumeReplayAsync(cancellationToken);
        var now = (await cluster.ReadAsync(cancellationToken))[node!];
        if (now.Paused) throw new CommandException($"{node} is still paused: somebody paused it again.");
        Terminal.Line($"{node} replays again{(now.LagBytes is { } lag ? $", {Words.Bytes(lag)} behind" : "")}.");
        return ExitCode.Success;
    }
}
