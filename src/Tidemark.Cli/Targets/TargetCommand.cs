using System.CommandLine;
using System.CommandLine.Parsing;

namespace Tidemark.Cli.Targets;

/// <summary>A command that applies to a cluster, which <see cref="TargetOptions"/> finds.</summary>
internal abstract class TargetCommand : TidemarkRootCommand
{
    private readonly TargetOptions _options;

    protected TargetCommand(Terminal terminal, TargetEnvironment environment, string name, string description, params string[] examples)
        : base(terminal, name, description, examples)
    {
        _options = new TargetOptions(environment);
        _options.AddTo(this);
    }

    protected override Task<ExitCode> RunAsync(ParseResult result, CancellationToken cancellationToken) =>
        RunAsync(_options.Find(result), result, cancellationToken);

    /// <summary>Runs the command.</summary>
    /// <param name="target">The cluster.</param>
    /// <param name="result">The parsed command line, which has passed the validators.</param>
    /// <param name="cancellationToken">Cancelled by Ctrl-C.</param>
    protected abstract Task<ExitCode> RunAsync(ClusterTarget target, ParseResult result, CancellationToken cancellationToken);

    /// <summary>Returns the name of the option that selects the cluster, or <c>null</c> if none was given.</summary>
    protected string? OptionOfTarget(CommandResult given) => _options.Given(given);
}
