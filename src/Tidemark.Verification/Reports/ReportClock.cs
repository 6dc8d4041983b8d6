using System.Globalization;

namespace Tidemark.Verification;

/// <summary>
/// The times of a history in seconds, counted from the clock's zero if the history begins near it, otherwise from the first operation.
/// </summary>
internal sealed class ReportClock
{
    private readonly long _origin;
    private readonly long _ticksPerSecond;

    public ReportClock(History history)
    {
        _ticksPerSecond = history.Columns.TicksPerSecond;
        var operations = history.Columns.Operations;
        var (first, last) = (long.MaxValue, long.MinValue);
        for (var i = 0; i < operations.Count; i++) (first, last) =
            (Math.Min(first, operations[i].Start), Math.Max(last, operations[i].End));
        if (operations.Count == 0) (first, last) = (0, 0);
        _origin = first >= 0 && first <= last - first ? 0 : first;
        End = Math.Max(Seconds(last), 0.001);
    }

    /// <summary>Time at which the last operation ended.</summary>
    public double End { get; }

    public double Seconds(long time) => (double)(time - _origin) / _ticksPerSecond;

    public double Seconds(TimeSpan time) => time.TotalSeconds - ((double)_origin / _ticksPerSecond);

    public string Text(long time) => Text(Seconds(time));

    public static string Text(double seconds) => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.0000} s");

    /// <summary>Formats a time span in a suitable unit.</summary>
    public static string Span(double seconds) => seconds switch
    {
        < 0.001 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e6:0} µs"),
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e3:0.#} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.##} s"),
    };
}
