using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Npgsql;
using Tidemark.Cli.Commands;
using Tidemark.Cli.Targets;

namespace Tidemark.Cli;

/// <summary>The commands, and their common behaviour: help with examples, error messages, exit codes.</summary>
internal static class CommandLine
{
    // EPIPE, which has the same number on every Unix.
    private const int BrokenPipe = 32;

    // Not a RootCommand, which takes its name from the executable file.
    private static Command Commands(Terminal terminal, TargetEnvironment environment) =>
        new("tidemark", "Read replicas for .NET and PostgreSQL that never take a user back in time.")
    {
        new HelpOption { Recursive = true },
        new VersionOption(),
        new StatusCommand(terminal, environment),
        new ClusterCommand(terminal),
        new DoctorCommand(terminal, environment),
        new ExplainCommand(terminal, environment),
        new ShellCommand(terminal, environment),
        new ConfirmCommand(terminal, environment),
        new VerifyCommand(terminal, environment),
        new SimulateCommand(terminal),
        new CheckCommand(terminal),
    };

    /// <summary>Runs a command line.</summary>
    /// <param name="arguments">The command line.</param>
    /// <param name="terminal">The terminal for output and errors.</param>
    /// <param name="environment">The environment of the command.</param>
    /// <param name="cancellationToken">Cancelled by Ctrl-C.</param>
    public static async Task<ExitCode> RunAsync(IReadOnlyList<string> arguments, Terminal terminal, TargetEnvironment environment,
        CancellationToken cancellationToken)
    {
        var root = Commands(terminal, environment);
        foreach (var help in root.Options.OfType<HelpOption>()) help.Action = new HelpWithExamples((HelpAction)help.Action!, terminal);

        if (Suggestions.Answer(arguments, root, terminal)) return ExitCode.Success;

        // Disabled, since a file name may begin with @.
        var result = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (result.Action is ParseErrorAction or null) return Fail(result, root, terminal);
        try
        {
            // Ctrl-C is handled only by the token.
            var invocation =
                new InvocationConfiguration { Output = terminal.Out, Error = terminal.Error, EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null };
            var code = (ExitCode)await result.InvokeAsync(invocation, cancellationToken);

            // A finding keeps its exit code even if it could not be printed. Without a finding, a closed pipe is not a failure, but any
            // other output error is.
            var isUnread = code == ExitCode.Success && terminal.OutputFailure is { } failure && failure.HResult != BrokenPipe;
            return isUnread ? Fail($"the output could not be written: {terminal.OutputFailure!.Message}", terminal) : code;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return Fail("interrupted.", terminal);
        }
        catch (Exception e) when (e is CommandException or IOException or UnauthorizedAccessException or NpgsqlException
            or TimeoutException)
        {
            return Fail(e.Message, terminal);
        }
#pragma warning disable CA1031 // A command always ends with a message and an exit code.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return Fail($"internal error (please report it). {e.GetType().Name}: {e.Message}\n{e.StackTrace}", terminal);
        }
    }

    /// <summary>Prints an error, in one line or several, and returns exit code 2.</summary>
    public static ExitCode Fail(string message, Terminal terminal)
    {
        foreach (var line in $"tidemark: {message}".Split('\n')) terminal.Error.WriteLine(Words.Printable(line.TrimEnd('\r')));
        return ExitCode.WrongUsage;
    }

    private static ExitCode Fail(ParseResult result, Command root, Terminal terminal)
    {
        if (result.Tokens.Count == 0) Fail("a command is required.", terminal);
        else if (result.CommandResult.Command == root) Fail($"unknown command {Quoted.Word(result.Tokens[0].Value)}.", terminal);
        else if (result.UnmatchedTokens is [var word, ..])
            Fail($"unknown option or argument {Quoted.Word(word)} of '{result.CommandResult.Command.Name}'.", terminal);
        else foreach (var error in result.Errors) Fail(WithoutSecrets(error.Message, result), terminal);
        return Fail($"run '{PathOf(result.CommandResult)} --help' for usage.", terminal);
    }

    // The value may be a connection string that was given to the wrong option.
    private static string WithoutSecrets(string message, ParseResult result) =>
        result.Tokens.Where(token => Quoted.MayBeSecret(token.Value))
            .Aggregate(message, (text, token) => text.Replace(token.Value, "…", StringComparison.Ordinal));

    private static string PathOf(CommandResult command) =>
        command.Parent is CommandResult parent ? $"{PathOf(parent)} {command.Command.Name}" : command.Command.Name;

    private sealed class HelpWithExamples(HelpAction help, Terminal terminal) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            help.MaxWidth = Math.Min(terminal.Width, 100);
            help.Invoke(parseResult);
            if (parseResult.CommandResult.Command is TidemarkRootCommand command)
            {
                terminal.Line("Examples:");
                foreach (var example in command.Examples) terminal.Line($"  {example}");
                terminal.Line();
            }

            terminal.Line("Exit codes: 0 success; 1 finding; 2 wrong usage, request that cannot be carried out, or interrupted by Ctrl-C "
                + "before a finding.");
            return 0;
        }
    }
}
