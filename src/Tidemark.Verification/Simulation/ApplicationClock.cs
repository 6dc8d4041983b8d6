using Tidemark.Testing;

namespace Tidemark.Verification;

/// <summary>The clock of one simulated machine. Its monotonic time is correct, but its wall clock can jump.</summary>
internal sealed class ApplicationClock(VirtualTime time) : TimeProvider
{
    /// <summary>Offset of the wall clock from the true time.</summary>
    public TimeSpan Skew { get; set; }

    public override long TimestampFrequency => time.TimestampFrequency;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override DateTimeOffset GetUtcNow() => time.GetUtcNow() + Skew;

    public override long GetTimestamp() => time.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        time.CreateTimer(callback, state, dueTime, period);
}
