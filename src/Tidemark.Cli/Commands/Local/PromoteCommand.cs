using System.CommandLine;
using Tidemark.Cli.Local;
using Tidemark.Testing;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster promote</c>: makes a replica the primary.</summary>
internal sealed class PromoteCommand(Terminal terminal) : NodeCommand(
    terminal, "promote", "Promote a replica to primary. The other running replicas follow it. The old primary is not changed.",
        needsNode: true, "tidemark cluster promote pg-2")
{
    protected override async Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result,
        CancellationToken cancellationToken)
    {
        var next = cluster.Cluster[node!];
        if (next == cluster.Cluster.Primary) throw new CommandException($"{node} is already the primary.");
        cluster.Replica(node!, $"it was the primary before {cluster.Cluster.Primary.Name}. Run first: {cluster.Command($"rejoin {node}")}");
        cluster.Running(node!);
        var start = TimeProvider.System.GetTimestamp();
        try
        {
            await next.PromoteAsync(cancellationToken: cancellationToken);
        }
        catch (InvalidOperationException e)
        {
            throw new CommandException($"{e.Message} {cluster.Command($"rejoin {node}")}", e);
        }

        var took = TimeProvider.System.GetElapsedTime(start);
        var now = await cluster.SettleAsync(each => each.Running && each.Follows == node, cancellationToken);
        var primary = now[node!];
        if (!primary.Answers || primary.Role != LocalNodeRole.Primary)
            throw new CommandException($"{node} was promoted, but does not report that it is the primary.");
        Terminal.Line($"{node} is the primary, on timeline {primary.Timeline}, after {Words.Seconds(took)}.");
        foreach (var follower in now.Nodes.Where(each => each.Streaming && each.Follows == node))
            Terminal.Line($"{follower.Name} follows it.");
        cluster.WriteFindings(now);
        return ExitCode.Success;
    }
}
