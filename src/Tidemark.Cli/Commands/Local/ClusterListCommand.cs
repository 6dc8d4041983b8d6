using System.CommandLine;
using Tidemark.Cli.Local;
using Tidemark.Testing;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster list</c>: lists the local clusters.</summary>
internal sealed class ClusterListCommand : TidemarkRootCommand
{
    private readonly Option<bool> _json = JsonOption();

    public ClusterListCommand(Terminal terminal)
        : base(terminal, "list", "List the local clusters.", "tidemark cluster list", "tidemark cluster list --json") => Add(_json);

    protected override async Task<ExitCode> RunAsync(ParseResult result, CancellationToken cancellationToken)
    {
        var clusters = await Task.WhenAll(KeptCluster.FindNames().Select(name => LocalListRecord.ReadAsync(name, cancellationToken)));
        if (result.GetValue(_json)) Json.Write(Terminal, clusters);
        else if (clusters.Length == 0) Terminal.Line("No local clusters exist. Run 'tidemark cluster up' to create one.");
        else LocalView.Write(Terminal, clusters);
        return ExitCode.Success;
    }
}
