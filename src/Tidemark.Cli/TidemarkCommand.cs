using System.CommandLine;

namespace Tidemark.Cli;

/// <summary>A command of the tool. Each is one class in a file of <c>Commands</c>, and one line in <see cref="CommandLine"/>.</summary>
internal abstract class TidemarkCommand : Command
{
    protected TidemarkCommand(Terminal terminal, string name, string description, params string[] examples) : base(name, description)
    {
        (Terminal, Examples) = (terminal, examples);
        SetAction(async (result, cancellationToken) => (int)await RunAsync(result, cancellationToken));
    }

    /// <summary>What <c>--help</c> shows below the options.</summary>
    public IReadOnlyList<string> Examples { get; }

    protected Terminal Terminal { get; }

    /// <summary>Runs the command.</summary>
    /// <param name="result">What was asked for; it has passed the validators.</param>
    /// <param name="cancellationToken">Ctrl-C: finish what is under way, and say what there is.</param>
    protected abstract Task<ExitCode> RunAsync(ParseResult result, CancellationToken cancellationToken);

    /// <summary>The option <c>--json</c>, which every command that prints a table has.</summary>
    protected static Option<bool> JsonOption() => new("--json") { Description = "Print the same records as JSON." };
}
