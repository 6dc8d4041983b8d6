using System.CommandLine;

namespace Tidemark.Cli;

/// <summary>A command of the tool. Each command is one class in <c>Commands</c> and one line in <see cref="CommandLine"/>.</summary>
internal abstract class TidemarkRootCommand : Command
{
    protected TidemarkRootCommand(Terminal terminal, string name, string description, params string[] examples) : base(name, description)
    {
        (Terminal, Examples) = (terminal, examples);
        SetAction(async (result, cancellationToken) => (int)await RunAsync(result, cancellationToken));
    }

    /// <summary>The examples that <c>--help</c> shows below the options.</summary>
    public IReadOnlyList<string> Examples { get; }

    protected Terminal Terminal { get; }

    /// <summary>Runs the command.</summary>
    /// <param name="result">The parsed command line, which has passed the validators.</param>
    /// <param name="cancellationToken">
    /// Cancelled by Ctrl-C. The command then finishes its current step and prints its results so far.
    /// </param>
    protected abstract Task<ExitCode> RunAsync(ParseResult result, CancellationToken cancellationToken);

    /// <summary>The option <c>--json</c> of every command that prints a table.</summary>
    protected static Option<bool> JsonOption() => new("--json") { Description = "Print the records as JSON." };
}
