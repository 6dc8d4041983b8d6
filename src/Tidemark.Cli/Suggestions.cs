using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Tidemark.Cli;

/// <summary>
/// Returns completions to the shell, in the protocol of dotnet-suggest: <c>tidemark [suggest:20] "tidemark cluster st"</c>.
/// </summary>
internal static partial class Suggestions
{
    /// <summary>Returns whether the command line is a completion request. If so, writes the completions, one per line.</summary>
    public static bool Answer(IReadOnlyList<string> arguments, Command root, Terminal terminal)
    {
        if (arguments.Count is 0 or > 2 || !Directive().IsMatch(arguments[0])) return false;
        var text = arguments.Count > 1 ? arguments[1] : "";
        var given = Directive().Match(arguments[0]).Groups[1].Value;
        var position = int.TryParse(given, CultureInfo.InvariantCulture, out var number) ? Math.Min(number, text.Length) : text.Length;

        // The help option also accepts /? and /h, which are not useful as completions.
        foreach (var item in root.Parse(text).GetCompletions(position).Where(item => !item.Label.StartsWith('/')))
            terminal.Out.WriteLine(item.Label);
        return true;
    }

    [GeneratedRegex(@"\A\[suggest(?::([0-9]+))?\]\z")]
    private static partial Regex Directive();
}
