using System.CommandLine;
using Tidemark.Cli.Local;
using Tidemark.Testing;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster rejoin</c>: makes an old primary, or a replica that was left behind, a replica again.</summary>
internal sealed class RejoinCommand(Terminal terminal) : NodeCommand(
    terminal, "rejoin", "Make an old primary, or a replica that was left behind, a replica of the primary. Data that only this node has is "
        + "lost.",
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
            RejoinMethod.Follow => $"{node} was reconfigured to follow {cluster.Cluster.Primary.Name}: it has no WAL that the primary "
                + "lacks.",
            RejoinMethod.Rewind => $"{node} was rewound (pg_rewind). Data that only it had is lost.",
            _ => $"{node} was replaced by a copy of {cluster.Cluster.Primary.Name}. Data that only it had is lost.",
        });
        var now = await cluster.ReadAsync(cancellationToken);
        cluster.Report(now[node!]);
        cluster.WriteFindings(now);
        return ExitCode.Success;
    }
}
