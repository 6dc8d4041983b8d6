using System.CommandLine;
using Tidemark.Cli.Local;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster resume</c>: resumes the replay of a replica.</summary>
internal sealed class ResumeCommand(Terminal terminal) : NodeCommand(
    terminal, "resume", "Resume the replay of a paused replica.", needsNode: true, "tidemark cluster resume pg-2")
{
    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result,
        CancellationToken cancellationToken)
    {
        cluster.Replica(node!, "a primary does not replay WAL");
        var replica = cluster.Running(node!);
        if (!(await cluster.ReadAsync(cancellationToken))[node!].Paused) throw new CommandException($"{node} is not paused.");
        await replica.ResumeReplayAsync(cancellationToken);
        var now = (await cluster.ReadAsync(cancellationToken))[node!];
        if (now.Paused) throw new CommandException($"{node} is still paused: another process paused it again.");
        Terminal.Line($"{node} resumed replay{(now.LagBytes is { } lag ? $", {Words.Bytes(lag)} behind" : "")}.");
        return ExitCode.Success;
    }
}
