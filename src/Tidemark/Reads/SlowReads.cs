using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>
/// Tells of reads that took longer than they should: where, why there, how long and what. Does nothing where no threshold is set.
/// </summary>
internal sealed class SlowReads(LiveOptions options, TimeProvider time, ILogger logger)
{
    /// <summary>More of a text is cut off.</summary>
    private const int MaxLength = 4000;

    public bool IsWanted => Threshold is not null;

    private TimeSpan? Threshold => options.Current.SlowReadThreshold;

    /// <summary>A mark to measure from.</summary>
    public long Start() => Threshold is null ? 0 : time.GetTimestamp();

    /// <summary>The node has begun to answer.</summary>
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
