using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Npgsql;
using Tidemark.Cli.Commands;
using Tidemark.Cli.Targets;

namespace Tidemark.Cli;

/// <summary>The commands, and what holds for all of them: help with examples, complaints, exit codes.</summary>
internal static class CommandLine
{
    // EPIPE, the same number on every Unix.
    private const int BrokenPipe = 32;

    // Not a RootCommand, which takes its name from the file it runs from.
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
    /// <param name="terminal">Where the command speaks.</param>
    /// <param name="environment">What surrounds it.</param>
    /// <param name="cancellationToken">Ctrl-C.</param>
    public static async Task<ExitCode> RunAsync(IReadOnlyList<string> arguments, Terminal terminal, TargetEnvironment environment,
        CancellationToken cancellationToken)
    {
        var root = Commands(terminal, environment);
        foreach (var help in root.Options.OfType<HelpOption>()) help.Action = new HelpWithExamples((HelpAction)help.Action!, terminal);

        if (Suggestions.Answer(arguments, root, terminal)) return ExitCode.Success;

        // A file name may well begin with @.
        var result = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (result.Action is ParseErrorAction or null) return Complain(result, root, terminal);
        try
        {
            // Ctrl-C is the token's business, and nobody else's.
            var invocation =
                new InvocationConfiguration { Output = terminal.Out, Error = terminal.Error, EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null };
            var code = (ExitCode)await result.InvokeAsync(invocation, cancellationToken);

            // A finding keeps its exit code even if it could not be printed. Without a finding, a closed pipe is no failure; any other
            // error is.
            var isUnread = code == ExitCode.Success && terminal.OutputFailure is { } failure && failure.HResult != BrokenPipe;
            return isUnread ? Complain($"the output could not be written: {terminal.OutputFailure!.Message}", terminal) : code;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return Complain("stopped.", terminal);
        }
        catch (Exception e) when (e is CommandException or IOException or UnauthorizedAccessException or NpgsqlException
            or TimeoutException)
        {
            return Complain(e.Message, terminal);
        }
#pragma warning disable CA1031 // A command ends with a line and an exit code, whatever happens.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return Complain($"this should not happen. {e.GetType().Name}: {e.Message}\n{e.StackTrace}", terminal);
        }
    }

    /// <summary>Says what is wrong, in one line or several.</summary>
    public static ExitCode Complain(string complaint, Terminal terminal)
    {
        foreach (var line in $"tidemark: {complaint}".Split('\n')) terminal.Error.WriteLine(Words.Printable(line.TrimEnd('\r')));
        return ExitCode.WrongUsage;
    }

    private static ExitCode Complain(ParseResult result, Command root, Terminal terminal)
    {
        if (result.Tokens.Count == 0) Complain("which command?", terminal);
        else if (result.CommandResult.Command == root) Complain($"there is no command {Quoted.Word(result.Tokens[0].Value)}.", terminal);
        else if (result.UnmatchedTokens is [var word, ..])
            Complain($"{Quoted.Word(word)} is nothing that '{result.CommandResult.Command.Name}' takes.", terminal);
        else foreach (var error in result.Errors) Complain(WithoutSecrets(error.Message, result), terminal);
        return Complain($"'{PathOf(result.CommandResult)} --help' tells what there is.", terminal);
    }

    // A connection string behind an option that takes something else.
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
            if (parseResult.CommandResult.Command is TidemarkCommand command)
            {
                terminal.Line("Examples:");
                foreach (var example in command.Examples) terminal.Line($"  {example}");
                terminal.Line();
            }

            terminal.Line("Exit codes: 0 success; 1 a finding; 2 wrong usage, what was asked for cannot be done, or stopped by Ctrl-C "
                + "before the end without a finding.");
            return 0;
        }
    }
}
