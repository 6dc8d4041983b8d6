using System.CommandLine;
using Tidemark.Cli.Local;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster delay</c>: delays the replay of a replica.</summary>
internal sealed class DelayCommand : NodeCommand
{
    private readonly Argument<int> _delay = new("MS")
    {
        Description = "Delay between a commit and its replay, in milliseconds. 0 disables the delay.",
        CustomParser = argument =>
        {
            if (int.TryParse(argument.Tokens[0].Value, System.Globalization.NumberStyles.None,
                System.Globalization.CultureInfo.InvariantCulture, out var delay)) return delay;
            argument.AddError($"MS must be an integer from 0 to {int.MaxValue}, not {Quoted.Word(argument.Tokens[0].Value)}.");
            return 0;
        },
    };

    public DelayCommand(Terminal terminal)
        : base(terminal, "delay", "Delay the replay of each commit on a replica. The delay survives restarts.",
            needsNode: true, "tidemark cluster delay pg-2 500", "tidemark cluster delay pg-2 0") => Add(_delay);

    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result,
        CancellationToken cancellationToken)
    {
        var delay = result.GetValue(_delay);
        var replica = cluster.Replica(node!, "a primary does not replay WAL");
        await replica.DelayReplayAsync(TimeSpan.FromMilliseconds(delay), cancellationToken);
        var when = replica.IsRunning ? "" : " after its next start";
        Terminal.Line(delay == 0
            ? $"{node} replays commits without delay{when}."
            : $"{node} replays commits with a delay of {Words.Count(delay)} ms{when}.");
        return ExitCode.Success;
    }
}
