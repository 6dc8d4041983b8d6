using System.CommandLine;
using Tidemark.Verification;

namespace Tidemark.Cli.Commands;

/// <summary><c>tidemark check</c>: checks a history from a file.</summary>
internal sealed class CheckCommand : TidemarkRootCommand
{
    private readonly Argument<string> _file = new("FILE") { Description = "The history, in the format of docs/histories.md." };
    private readonly Option<bool> _json = JsonOption();
    private readonly Option<string?> _html = Choices.File("--html", "Write an HTML page with charts and a diagram of each violation.");

    public CheckCommand(Terminal terminal)
        : base(
            terminal, "check", "Check a recorded history of client operations for violations of the consistency guarantees.",
            "tidemark check history.txt",
            "tidemark check history.txt --html report.html")
    {
        Add(_file);
        Add(_json);
        Add(_html);
    }

    protected override Task<ExitCode> RunAsync(ParseResult result, CancellationToken cancellationToken)
    {
        var file = result.GetRequiredValue(_file);
        History history;
        try
        {
            history = HistoryFile.Read(file);
        }
        catch (HistoryException e)
        {
            return Task.FromResult(CommandLine.Fail($"{file} cannot be checked. {e.Message}", Terminal));
        }

        var verdict = HistoryChecker.Check(history);
        if (result.GetValue(_html) is { } html)
            HistoryPage.Write(history, verdict, html, new HistoryPageOptions { Title = Path.GetFileName(file) });
        var record = VerdictRecord.Of(verdict);
        if (result.GetValue(_json)) Json.Write(Terminal, record);
        else record.Write(Terminal);
        return Task.FromResult(verdict.IsClean ? ExitCode.Success : ExitCode.Finding);
    }
}
