using System.CommandLine;
using Tidemark.Cli.Local;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster delay</c>: a replica shows each commit so much later.</summary>
internal sealed class DelayCommand : NodeCommand
{
    private readonly Argument<int> _delay = new("MS")
    {
        Description = "Milliseconds between a commit and its replay; 0 for none.",
        CustomParser = argument =>
        {
            if (int.TryParse(argument.Tokens[0].Value, System.Globalization.NumberStyles.None,
                System.Globalization.CultureInfo.InvariantCulture, out var delay)) return delay;
            argument.AddError($"MS takes whole milliseconds from 0 to {int.MaxValue}, and not {Quoted.Word(argument.Tokens[0].Value)}.");
            return 0;
        },
    };

    public DelayCommand(Terminal terminal)
        : base(terminal, "delay", "Let a replica show every commit so many milliseconds late. It stays in force over restarts.",
            needsNode: true, "tidemark cluster delay pg-2 500", "tidemark cluster delay pg-2 0") => Add(_delay);

    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result,
        CancellationToken cancellationToken)
    {
        var delay = result.GetValue(_delay);
        var replica = cluster.Replica(node!, "a primary replays nothing");
        await replica.DelayReplayAsync(TimeSpan.FromMilliseconds(delay), cancellationToken);
        var when = replica.IsRunning ? "" : ", once it is started";
        Terminal.Line(delay == 0
            ? $"{node} replays commits as they come{when}."
            : $"{node} replays each commit {Words.Count(delay)} ms after it was made{when}.");
        return ExitCode.Success;
    }
}
