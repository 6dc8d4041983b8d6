using System.CommandLine;
using Tidemark.Cli.Local;
using Tidemark.Testing;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster down</c>: stops clusters and deletes their data.</summary>
internal sealed class ClusterDownCommand : LocalCommand
{
    private readonly Option<bool> _all = new("--all") { Description = "Delete all local clusters." };

    public ClusterDownCommand(Terminal terminal)
        : base(terminal, "down", "Stop all servers of a cluster and delete its data.", "tidemark cluster down",
            "tidemark cluster down --name orders", "tidemark cluster down --all")
    {
        Add(_all);
        Validators.Add(given =>
        {
            if (given.GetValue(_all) && given.Has(NameOption)) given.AddError("--all and --name cannot be combined.");
        });
    }

    protected override async Task<ExitCode> RunAsync(string cluster, ParseResult result, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> names = result.GetValue(_all) ? KeptCluster.FindNames() : [cluster];
        if (names.Count == 0) Terminal.Line("No local clusters exist.");
        List<string> failures = [];
        foreach (var name in names)
        {
            try
            {
                await LocalCluster.DeleteAsync(name, cancellationToken);
                Terminal.Line($"Deleted cluster {name}: its servers are stopped and its data is removed.");
            }
            catch (Exception e) when (e is LocalClusterException or KeyNotFoundException or IOException or UnauthorizedAccessException)
            {
                failures.Add(e.Message);
            }
        }

        return failures.Count == 0 ? ExitCode.Success : throw new CommandException(string.Join('\n', failures));
    }
}
