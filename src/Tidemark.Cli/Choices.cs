using System.Collections.Immutable;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Tidemark.Cli;

/// <summary>Creates options whose parse errors list the valid values.</summary>
internal static class Choices
{
    private const string All = "all";

    /// <summary>An option that takes a name of an enumeration, ignoring case, or <c>all</c>.</summary>
    public static Option<ImmutableArray<T>> OneOrAll<T>(string name, string description, T otherwise) where T : struct, Enum
    {
        var option = new Option<ImmutableArray<T>>(name)
        {
            Description = $"{description}: {string.Join(", ", Enum.GetNames<T>())}, or {All}.",
            HelpName = "NAME",
            DefaultValueFactory = _ => [otherwise],
            CustomParser = argument => Text(argument).Equals(All, StringComparison.OrdinalIgnoreCase)
                ? [.. Enum.GetValues<T>()] : [Parse<T>(name, argument, Enum.GetNames<T>().Append(All))],
        };
        return option;
    }

    /// <summary>An option that takes a name of an enumeration, ignoring case.</summary>
    public static Option<T> One<T>(string name, string description) where T : struct, Enum => new(name)
    {
        Description = description,
        HelpName = "NAME",
        CustomParser = argument => Parse<T>(name, argument, Enum.GetNames<T>()),
    };

    /// <summary>An option that takes an integer within bounds.</summary>
    public static Option<int?> Number(string name, string description, int least, int most = int.MaxValue) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = argument =>
        {
            if (int.TryParse(Text(argument), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least
                && number <= most) return number;
            argument.AddError($"{name} must be an integer from {least} to {most}, not {Quoted.Word(Text(argument))}.");
            return null;
        },
    };

    /// <summary>An option that takes a comma-separated list of integers within bounds.</summary>
    public static Option<int[]> Numbers(string name, string description, int least, int most, string form = "N,N,…") => new(name)
    {
        Description = description,
        HelpName = form,
        CustomParser = argument =>
        {
            var numbers = Text(argument).Split(',')
                .Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1)
                .ToArray();
            if (numbers.All(number => number >= least && number <= most)) return numbers;
            argument.AddError(
                $"{name} must be a comma-separated list of integers from {least} to {most}, not {Quoted.Word(Text(argument))}.");
            return null;
        },
    };

    /// <summary>An option that takes a duration such as <c>500ms</c>, <c>30s</c>, <c>2min</c> or <c>00:00:30</c>, within bounds.</summary>
    public static Option<TimeSpan> Time(string name, string description, TimeSpan otherwise, TimeSpan least, TimeSpan most) => new(name)
    {
        Description = description,
        HelpName = "TIME",
        DefaultValueFactory = _ => otherwise,
        CustomParser = argument =>
        {
            if (TryTime(Text(argument), out var time) && time >= least && time <= most) return time;
            argument.AddError(
                $"{name} must be a duration from {Words.Duration(least.TotalMilliseconds)} to {Words.Duration(most.TotalMilliseconds)}, "
                    + $"such as 500ms, 30s or 2min, not {Quoted.Word(Text(argument))}.");
            return otherwise;
        },
    };

    private static bool TryTime(string text, out TimeSpan time)
    {
        time = default;
        if (text.Contains(':', StringComparison.Ordinal)) return TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out time);
        var unit = text.TrimStart([.. "0123456789."]);
        var milliseconds = unit.Trim() switch { "ms" => 1, "s" or "" => 1000, "min" => 60_000, "h" => 3_600_000, _ => 0 };
        if (milliseconds == 0
            || !double.TryParse(text[..^unit.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            return false;
        if (number * milliseconds > TimeSpan.MaxValue.TotalMilliseconds) return false;
        time = TimeSpan.FromMilliseconds(number * milliseconds);
        return true;
    }

    /// <summary>An option that takes the path of a file to write. Its folder must exist.</summary>
    public static Option<string?> File(string name, string description) => new(name) { Description = description, HelpName = "FILE" };

    /// <summary>Whether an option was given on the command line, rather than set by its default.</summary>
    public static bool Has(this CommandResult result, Option option) => result.GetResult(option) is { Implicit: false };

    private static string Text(ArgumentResult argument) => argument.Tokens.Count == 1 ? argument.Tokens[0].Value : "";

    private static T Parse<T>(string name, ArgumentResult argument, IEnumerable<string> names) where T : struct, Enum
    {
        var text = Text(argument);
        if (Enum.GetNames<T>().Contains(text, StringComparer.OrdinalIgnoreCase)) return Enum.Parse<T>(text, ignoreCase: true);
        argument.AddError($"{name} does not accept {Quoted.Word(text)}. Valid values: {string.Join(", ", names)}.");
        return default;
    }
}
