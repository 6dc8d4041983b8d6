using System.CommandLine;
using System.CommandLine.Completions;
using Tidemark.Testing;

namespace Tidemark.Cli.Local;

/// <summary>A command that acts on one node of a local cluster, and then checks the resulting state.</summary>
internal abstract class NodeCommand : LocalCommand
{
    // A healthy replica streams well before this time.
    private static readonly TimeSpan SettlingTime = TimeSpan.FromSeconds(5);

    private readonly Argument<string> _node;

    protected NodeCommand(Terminal terminal, string name, string description, bool needsNode, params string[] examples) : base(terminal,
        name, description, examples)
    {
        _node = new Argument<string>("NODE")
        {
            Description = "The name of the node, such as pg-2.",
            Arity = needsNode ? ArgumentArity.ExactlyOne : ArgumentArity.ZeroOrOne,
            CompletionSources = { Complete },
        };
        Add(_node);
    }

    protected sealed override async Task<ExitCode> RunAsync(string cluster, ParseResult result, CancellationToken cancellationToken)
    {
        await using var opened = await LocalCluster.OpenAsync(cluster, cancellationToken);
        return await RunAsync(new OpenedCluster(cluster, opened, Terminal), result.GetValue(_node), result, cancellationToken);
    }

    protected abstract Task<ExitCode> RunAsync(OpenedCluster cluster, string? node, ParseResult result,
        CancellationToken cancellationToken);

    private IEnumerable<CompletionItem> Complete(CompletionContext context)
    {
        try
        {
            return [.. KeptCluster.Read(context.ParseResult.GetValue(NameOption) ?? LocalHints.DefaultName)
                .Nodes.Select(node => new CompletionItem(node.Name))];
        }
        catch (Exception e) when (e is LocalClusterException or KeyNotFoundException)
        {
            return [];      // completion must not print an error
        }
    }

    /// <summary>A cluster that is locked against changes by other commands.</summary>
    protected sealed record OpenedCluster(string Name, LocalCluster Cluster, Terminal Terminal)
    {
        public Task<LocalClusterRecord> ReadAsync(CancellationToken cancellationToken) =>
            LocalClusterRecord.ReadAsync(Name, cancellationToken);

        public string Command(string rest) => LocalHints.Command(Name, rest);

        /// <summary>Returns a running node.</summary>
        public LocalNode Running(string node) => Cluster[node] is { IsRunning: true } running
            ? running
            : throw new CommandException($"{node} is down. Start it with: {Command($"start {node}")}");

        /// <summary>Returns a replica, running or not.</summary>
        public LocalNode Replica(string node, string butPrimary) => Cluster[node] is { Follows: not null } replica
            ? replica
            : throw new CommandException(
                $"{node} is not a replica: {butPrimary}. Replicas: "
                    + $"{string.Join(", ", Cluster.Replicas.Select(each => each.Name).DefaultIfEmpty("(none)"))}.");

        /// <summary>
        /// Polls until the given nodes respond and their replicas stream, or the settling time is over. Returns the last state.
        /// </summary>
        public async Task<LocalClusterRecord> SettleAsync(Func<LocalNodeRecord, bool> concerns, CancellationToken cancellationToken)
        {
            var start = TimeProvider.System.GetTimestamp();
            while (true)
            {
                var now = await ReadAsync(cancellationToken);
                var isSettled = now.Nodes.Where(concerns)
                    .All(node => node.Answers && (node.Role != LocalNodeRole.Replica || node.Streaming));
                if (isSettled || TimeProvider.System.GetElapsedTime(start) > SettlingTime) return now;
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, cancellationToken);
            }
        }

        /// <summary>Prints the current state of a node.</summary>
        public void Report(LocalNodeRecord node)
        {
            var what = node switch
            {
                { Running: false } => "is down",
                { Role: LocalNodeRole.Replica } =>
                    $"is a replica of {node.Follows} and {(node.Streaming ? "is streaming" : "is not streaming")}",
                { Role: LocalNodeRole.Primary } => "is the primary",
                _ => "is an old primary",
            };
            Terminal.Line($"{node.Name} {what}{(node.ProcessId is { } id ? $" (process {id}, port {node.Port})" : "")}.");
        }

        public void WriteFindings(LocalClusterRecord now)
        {
            foreach (var finding in now.Findings) Terminal.Line(finding, Tone.Bad);
        }
    }
}
