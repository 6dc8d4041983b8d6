using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>
/// Logs reads that took longer than the threshold: the node, the reason for it, the duration and the text. Does nothing if no threshold is
/// set.
/// </summary>
internal sealed class SlowReads(LiveOptions options, TimeProvider time, ILogger logger)
{
    /// <summary>Maximum length of the logged text. Longer texts are truncated.</summary>
    private const int MaxLength = 4000;

    public bool IsWanted => Threshold is not null;

    private TimeSpan? Threshold => options.Current.SlowReadThreshold;

    /// <summary>Returns a timestamp to measure from.</summary>
    public long Start() => Threshold is null ? 0 : time.GetTimestamp();

    /// <summary>Ends the measurement when the node has begun to respond.</summary>
    public void End(long start, in RouteDecision decision, string text)
    {
        if (start != 0) Note(time.GetElapsedTime(start), decision, text);
    }

    public void Note(TimeSpan duration, in RouteDecision decision, string text)
    {
        if (!(duration >= Threshold) || !logger.IsEnabled(LogLevel.Warning)) return;
        Log.SlowRead(logger, decision.Node, duration.TotalMilliseconds, RouteText.Of(decision.Reason), text.Length > MaxLength
            ? text[..MaxLength] : text);
    }
}
