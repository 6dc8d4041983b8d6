using System.CommandLine;
using Tidemark.Cli.Local;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark cluster status</c>: shows the role and state of each node of a local cluster.</summary>
internal sealed class ClusterStatusCommand : LocalCommand
{
    private readonly Option<bool> _json = JsonOption();

    public ClusterStatusCommand(Terminal terminal)
        : base(terminal, "status", "Show the nodes of a local cluster and their problems. Exit code 1 if there is a problem.",
            "tidemark cluster status", "tidemark cluster status --name orders --json") => Add(_json);

    protected override async Task<ExitCode> RunAsync(string cluster, ParseResult result, CancellationToken cancellationToken)
    {
        var record = await LocalClusterRecord.ReadAsync(cluster, cancellationToken);
        if (result.GetValue(_json)) Json.Write(Terminal, record);
        else LocalView.Write(Terminal, record);
        return record.Findings.Count == 0 ? ExitCode.Success : ExitCode.Finding;
    }
}
