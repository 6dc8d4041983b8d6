using System.CommandLine;
using System.CommandLine.Completions;
using Npgsql;
using Tidemark.Testing;

namespace Tidemark.Cli.Local;

/// <summary>A command about one local cluster, which <c>--name</c> names.</summary>
internal abstract class LocalCommand : TidemarkRootCommand
{
    private readonly Option<string> _name = new("--name")
    {
        Description = $"The name of the cluster. Default: {LocalHints.DefaultName}.",
        HelpName = "NAME",
        DefaultValueFactory = _ => LocalHints.DefaultName,
        CompletionSources = { _ => KeptCluster.FindNames().Select(name => new CompletionItem(name)) },
    };

    protected LocalCommand(Terminal terminal, string name, string description, params string[] examples) : base(terminal, name, description,
        examples)
    {
        Add(_name);
        Validators.Add(given =>
        {
            if (given.GetValue(_name) is { } cluster && !KeptCluster.IsName(cluster))
                given.AddError($"--name {Quoted.Word(cluster)} is not a valid cluster name: {KeptCluster.NameRule}.");
        });
    }

    protected Option<string> NameOption => _name;

    protected sealed override async Task<ExitCode> RunAsync(ParseResult result, CancellationToken cancellationToken)
    {
        try
        {
            return await RunAsync(result.GetRequiredValue(_name), result, cancellationToken);
        }
        catch (Exception e) when (e is LocalClusterException or KeyNotFoundException)
        {
            throw new CommandException(e.Message, e);
        }
        catch (NpgsqlException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(
                $"a server of the cluster failed: {e.Message}\n"
                + $"Run '{LocalHints.Command(result.GetRequiredValue(_name), "status")}' to see its state.", e);
        }
    }

    protected abstract Task<ExitCode> RunAsync(string cluster, ParseResult result, CancellationToken cancellationToken);
}
