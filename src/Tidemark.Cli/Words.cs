using System.Globalization;

namespace Tidemark.Cli;

/// <summary>Numbers and lines as people read them.</summary>
internal static class Words
{
    public static string Count(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    public static string Percent(double? share) => share is { } value ? string.Create(CultureInfo.InvariantCulture, $"{100 * value:0.0} %") : "-";

    public static string Rate(double? rate) => rate is { } value ? value.ToString("0.##", CultureInfo.InvariantCulture) : "-";

    public static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.0} s");

    /// <summary>The lines of a text, none longer than so many columns unless a word is.</summary>
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
