using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Tidemark.Cli.Commands;

namespace Tidemark.Cli;

/// <summary>The commands, and what holds for all of them: help with examples, complaints, exit codes.</summary>
internal static class CommandLine
{
    // Not a RootCommand, which takes its name from the file it runs from.
    private static Command Commands(Terminal terminal) => new("tidemark", "Read replicas for .NET and PostgreSQL that never take a user back in time.")
    {
        new HelpOption { Recursive = true },
        new VersionOption(),
        new SimulateCommand(terminal),
        new CheckCommand(terminal),
    };

    /// <summary>Runs a command line.</summary>
    public static async Task<ExitCode> RunAsync(IReadOnlyList<string> arguments, Terminal terminal, CancellationToken cancellationToken)
    {
        var root = Commands(terminal);
        foreach (var help in root.Options.OfType<HelpOption>()) help.Action = new HelpWithExamples((HelpAction)help.Action!, terminal);

        // A file name may well begin with @.
        var result = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (result.Action is ParseErrorAction or null) return Complain(result, root, terminal);
        try
        {
            // Ctrl-C is the token's business, and nobody else's.
            var invocation = new InvocationConfiguration { Output = terminal.Out, Error = terminal.Error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
            return (ExitCode)await result.InvokeAsync(invocation, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return Complain("stopped.", terminal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Complain(e.Message, terminal);
        }
    }

    /// <summary>Says what is wrong.</summary>
    public static ExitCode Complain(string complaint, Terminal terminal)
    {
        terminal.Error.WriteLine($"tidemark: {complaint}");
        return ExitCode.WrongUsage;
    }

    private static ExitCode Complain(ParseResult result, Command root, Terminal terminal)
    {
        if (result.Tokens.Count == 0) Complain("which command?", terminal);
        else if (result.CommandResult.Command == root) Complain($"there is no command \"{result.Tokens[0].Value}\".", terminal);
        else foreach (var error in result.Errors) Complain(error.Message, terminal);
        var command = result.CommandResult.Command == root ? "" : $" {result.CommandResult.Command.Name}";
        return Complain($"'tidemark{command} --help' tells what there is.", terminal);
    }

    private sealed class HelpWithExamples(HelpAction help, Terminal terminal) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            help.MaxWidth = Math.Min(terminal.Width, 100);
            help.Invoke(parseResult);
            if (parseResult.CommandResult.Command is TidemarkCommand command)
            {
                terminal.Line("Examples:");
                foreach (var example in command.Examples) terminal.Line($"  {example}");
                terminal.Line();
            }

            terminal.Line("Exit codes: 0 success; 1 a finding; 2 wrong usage, a file that cannot be read or written, or stopped by Ctrl-C before the end without a finding.");
            return 0;
        }
    }
}
