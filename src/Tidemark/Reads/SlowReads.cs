using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>
/// Logs reads that took longer than the threshold: the node, the reason for it, the duration and the text. Does nothing if no threshold is
/// set.
/// </summary>
internal sealed class SlowReads(TimeSpan? threshold, TimeProvider time, ILogger logger)
{
    /// <summary>Maximum length of the logged text. Longer texts are truncated.</summary>
    private const int MaxLength = 4000;

    public bool IsWanted => threshold is not null;

    /// <summary>Returns a timestamp to measure from.</summary>
    public long Start() => threshold is null ? 0 : time.GetTimestamp();

    /// <summary>Ends the measurement when the node has begun to respond.</summary>
    public void End(long start, in RouteDecision decision, string text)
    {
        if (threshold is not null) Note(time.GetElapsedTime(start), decision, text);
    }

    public void Note(TimeSpan duration, in RouteDecision decision, string text)
    {
        if (!(duration >= threshold) || !logger.IsEnabled(LogLevel.Warning)) return;
        Log.SlowRead(logger, decision.Node, duration.TotalMilliseconds, RouteText.Of(decision.Reason), text.Length > MaxLength
            ? text[..MaxLength] : text);
    }
}
