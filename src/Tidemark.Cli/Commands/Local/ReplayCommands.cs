using System.CommandLine;
using Tidemark.Cli.Local;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster pause</c>: a replica receives, and shows nothing new.</summary>
internal sealed class PauseCommand(Terminal terminal) : NodeCommand(
    terminal, "pause", "Let a replica fall behind: it receives, and shows no commit from now on. A restart ends the pause.", needsNode: true, "tidemark cluster pause pg-2")
{
    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result, CancellationToken cancellationToken)
    {
        var replica = cluster.Replica(node!, "a primary replays nothing");
        var wasPaused = (await cluster.ReadAsync(cancellationToken))[node!].Paused;
        await cluster.Running(node!).PauseReplayAsync(cancellationToken);
        var now = (await cluster.ReadAsync(cancellationToken))[node!];
        Terminal.Line($"{replica.Name} is paused{(wasPaused ? " already" : "")}, at {now.Position}. It goes on with: {cluster.Command($"resume {replica.Name}")}");
        return ExitCode.Success;
    }
}

/// <summary><c>tidemark cluster resume</c>: ends a pause.</summary>
internal sealed class ResumeCommand(Terminal terminal) : NodeCommand(
    terminal, "resume", "Let a paused replica catch up.", needsNode: true, "tidemark cluster resume pg-2")
{
    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result, CancellationToken cancellationToken)
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

/// <summary><c>tidemark cluster delay</c>: a replica shows each commit so much later.</summary>
internal sealed class DelayCommand : NodeCommand
{
    private readonly Argument<int> _delay = new("MS")
    {
        Description = "Milliseconds between a commit and its replay; 0 for none.",
        CustomParser = argument =>
        {
            if (int.TryParse(argument.Tokens[0].Value, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var delay)) return delay;
            argument.AddError($"MS takes whole milliseconds from 0 to {int.MaxValue}, and not {Quoted.Word(argument.Tokens[0].Value)}.");
            return 0;
        },
    };

    public DelayCommand(Terminal terminal)
        : base(terminal, "delay", "Let a replica show every commit so many milliseconds late. It stays in force over restarts.", needsNode: true, "tidemark cluster delay pg-2 500", "tidemark cluster delay pg-2 0") => Add(_delay);

    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result, CancellationToken cancellationToken)
    {
        var delay = result.GetValue(_delay);
        var replica = cluster.Replica(node!, "a primary replays nothing");
        await replica.DelayReplayAsync(TimeSpan.FromMilliseconds(delay), cancellationToken);
        var when = replica.IsRunning ? "" : ", once it is started";
        Terminal.Line(delay == 0 ? $"{node} replays commits as they come{when}." : $"{node} replays each commit {Words.Count(delay)} ms after it was made{when}.");
        return ExitCode.Success;
    }
}
