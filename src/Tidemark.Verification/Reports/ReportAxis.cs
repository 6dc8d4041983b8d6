using System.Globalization;

namespace Tidemark.Verification;

/// <summary>The time axis that all charts of a page share, and the frame around each chart.</summary>
internal sealed class ReportAxis(History history, ReportClock clock, HtmlText html)
{
    public const int Buckets = 120;
    public const double Left = 92;
    public const double Width = 900;
    public const double Right = Width - 50;
    public const double BucketWidth = (Right - Left) / Buckets;
    private const double AxisHeight = 18;
    private const int MostTicks = 8;

    public static double BucketX(int bucket) => Left + (bucket * BucketWidth);

    public int Bucket(double seconds) => Math.Clamp((int)(seconds / clock.End * Buckets), 0, Buckets - 1);

    public double X(double seconds) => Left + (Math.Clamp(seconds / clock.End, 0, 1) * Buckets * BucketWidth);

    /// <summary>Converts a count in one bucket to a rate per second.</summary>
    public string PerSecond(int inBucket) => string.Create(CultureInfo.InvariantCulture, $"{inBucket / (clock.End / Buckets):0}/s");

    /// <summary>Opens a picture of a given height, with a line at each fork.</summary>
    public void Open(double height, string label)
    {
        html.Line($"<div class=\"wide\"><svg viewBox=\"0 0 {Width} {height + AxisHeight}\" role=\"img\" aria-label=\"{label}\">");
        foreach (var fork in history.Columns.Forks)
        {
            if (fork.NotBefore == long.MinValue) continue;
            var x = X(clock.Seconds(fork.NotBefore));
            html.Add($"<line class=\"fork\" x1=\"{x}\" y1=\"0\" x2=\"{x}\" y2=\"{height}\"><title>{clock.Text(fork.NotBefore)}: history "
                + $"continues without what timeline {(long)fork.Parent} contains after this</title></line>");
        }
    }

    /// <summary>Closes a picture and writes the times below it.</summary>
    public void Close(double height)
    {
        html.Add($"<line class=\"rule\" x1=\"{Left}\" y1=\"{height}\" x2=\"{Right}\" y2=\"{height}\"/>");
        var step = Step();
        for (var i = 0; i * step <= clock.End; i++)
        {
            var text = string.Create(CultureInfo.InvariantCulture, $"{i * step:0.####} s");
            html.Add($"<text class=\"axis middle\" x=\"{X(i * step)}\" y=\"{height + 14}\">{text}</text>");
        }

        html.Line($"</svg></div>");
    }

    // 1, 2 or 5, times a power of ten.
    private double Step()
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(clock.End / MostTicks)));
        foreach (var factor in new[] { 1, 2, 5 })
        {
            if (clock.End / (power * factor) <= MostTicks) return power * factor;
        }

        return power * 10;
    }
}
