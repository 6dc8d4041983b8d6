using System.Globalization;

namespace Tidemark.Cli;

/// <summary>Formats numbers and lines for the text output.</summary>
internal static class Words
{
    public static string Count(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    public static string Percent(double? share) =>
        share is { } value ? string.Create(CultureInfo.InvariantCulture, $"{100 * value:0.0} %") : "-";

    public static string Rate(double? rate) => rate is { } value ? value.ToString("0.##", CultureInfo.InvariantCulture) : "-";

    /// <summary>Formats a duration, such as <c>0.4 ms</c>, <c>12 ms</c>, <c>3.2 s</c> or <c>5 min</c>.</summary>
    public static string Duration(double milliseconds) => milliseconds switch
    {
        < 10 => string.Create(CultureInfo.InvariantCulture, $"{milliseconds:0.0} ms"),
        < 1000 => string.Create(CultureInfo.InvariantCulture, $"{milliseconds:0} ms"),
        < 120_000 => string.Create(CultureInfo.InvariantCulture, $"{milliseconds / 1000:0.0} s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{milliseconds / 60_000:0} min"),
    };

    /// <summary>Formats a number of bytes, such as <c>0 B</c>, <c>1.2 kB</c> or <c>3.4 MB</c>.</summary>
    public static string Bytes(long? number) => number switch
    {
        null => "-",
        < 1000 => string.Create(CultureInfo.InvariantCulture, $"{number} B"),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{number / 1e3:0.0} kB"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{number / 1e6:0.0} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{number / 1e9:0.0} GB"),
    };

    public static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.0} s");

    /// <summary>Replaces control characters, which could move the cursor or change colours: names in a database can contain them.</summary>
    public static string Printable(string text) =>
        text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? '?' : c)) : text;

    /// <summary>Splits a text into lines of at most <paramref name="width"/> columns. A longer word is not split.</summary>
    public static IEnumerable<string> Wrap(string text, int width)
    {
        foreach (var line in text.Split('\n'))
        {
            var rest = line.TrimEnd('\r');
            while (rest.Length > width)
            {
                var cut = rest.LastIndexOf(' ', width);
                if (cut <= 0) cut = rest.IndexOf(' ', width);
                if (cut <= 0) break;
                yield return rest[..cut];
                rest = rest[(cut + 1)..];
            }

            yield return rest;
        }
    }
}
