using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Tidemark.Cli;

/// <summary>
/// Answers the shell's question what may stand next, in the form of dotnet-suggest: <c>tidemark [suggest:20] "tidemark cluster st"</c>.
/// </summary>
internal static partial class Suggestions
{
    /// <summary>Whether the command line is such a question; then the answers are written, one to a line.</summary>
    public static bool Answer(IReadOnlyList<string> arguments, Command root, Terminal terminal)
    {
        if (arguments.Count is 0 or > 2 || !Directive().IsMatch(arguments[0])) return false;
        var text = arguments.Count > 1 ? arguments[1] : "";
        var given = Directive().Match(arguments[0]).Groups[1].Value;
        var position = int.TryParse(given, CultureInfo.InvariantCulture, out var number) ? Math.Min(number, text.Length) : text.Length;

        // The help option answers to /? and /h too, which nobody types here.
        foreach (var item in root.Parse(text).GetCompletions(position).Where(item => !item.Label.StartsWith('/')))
            terminal.Out.WriteLine(item.Label);
        return true;
    }

    [GeneratedRegex(@"\A\[suggest(?::([0-9]+))?\]\z")]
    private static partial Regex Directive();
}
