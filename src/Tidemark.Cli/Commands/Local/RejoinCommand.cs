using System.CommandLine;
using Tidemark.Cli.Local;
using Tidemark.Testing;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster rejoin</c>: a replica of what history went on without.</summary>
internal sealed class RejoinCommand(Terminal terminal) : NodeCommand(
    terminal, "rejoin", "Make a replica of an old primary, or of a replica that was left behind. What only this node had is lost.",
        needsNode: true, "tidemark cluster rejoin pg-1")
{
    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result,
        CancellationToken cancellationToken)
    {
        RejoinOutcome outcome;
        try
        {
            outcome = await Terminal.WithStagesAsync($"Making {node} a replica of {cluster.Cluster.Primary.Name}",
                _ => cluster.Cluster[node!].RejoinAsync(cancellationToken));
        }
        catch (InvalidOperationException e)
        {
            throw new CommandException(e.Message, e);
        }

        foreach (var obstacle in outcome.Obstacles) Terminal.Line($"({obstacle})", Tone.Quiet);
        Terminal.Line(outcome.Method switch
        {
            RejoinMethod.Follow => $"{node} only had to be pointed to {cluster.Cluster.Primary.Name}: its history is the beginning of "
                + "the primary's.",
            RejoinMethod.Rewind => $"{node} was rewound (pg_rewind): what only it had is gone.",
            _ => $"{node} was replaced by a copy of {cluster.Cluster.Primary.Name}: what only it had is gone.",
        });
        var now = await cluster.ReadAsync(cancellationToken);
        cluster.Tell(now[node!]);
        cluster.TellFindings(now);
        return ExitCode.Success;
    }
}
