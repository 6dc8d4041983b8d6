namespace Tidemark.Testing;

/// <summary>
/// A <see cref="TimeProvider"/> for tests and simulations. Its time advances only through <see cref="Advance"/>, and every timer
/// fires at exactly its due time, in the same order in every run.
/// </summary>
/// <remarks>
/// A timer never fires inside <see cref="CreateTimer"/> or <see cref="ITimer.Change"/>, even with a due time of zero. It fires in the
/// next <see cref="Advance"/>, which may be by zero. All members may be called from any thread and from timer callbacks.
/// </remarks>
public sealed class VirtualTime : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly SortedSet<VirtualTimer> _armed = new(VirtualTimer.FiringOrder);
    private readonly DateTimeOffset _start;
    private long _elapsedTicks;
    private long _armings;

    /// <summary>Initializes a clock that starts at 2000-01-01 00:00 UTC.</summary>
    public VirtualTime() : this(new DateTimeOffset(2000, 1, 1, 0, 0, 0, TimeSpan.Zero))
    {
    }

    /// <summary>Initializes a clock that starts at a given time.</summary>
    /// <param name="start">The initial value of <see cref="GetUtcNow"/>. Converted to UTC.</param>
    public VirtualTime(DateTimeOffset start) => _start = start.ToUniversalTime();

    /// <summary>
    /// Ticks of <see cref="GetTimestamp"/> per second: the same as in <see cref="TimeSpan"/>, so conversions do not round.
    /// </summary>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>UTC, so that tests do not depend on the machine's time zone.</summary>
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <summary>Time until the next timer fires, or <c>null</c> if no timer is armed. A simulator advances by this.</summary>
    public TimeSpan? UntilNextTimer
    {
        get
        {
            lock (_gate)
                return _armed.Min is { } next ? TimeSpan.FromTicks(long.Max(0, next.DueTicks - _elapsedTicks)) : null;
        }
    }

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => _start.AddTicks(GetTimestamp());

    /// <inheritdoc/>
    public override long GetTimestamp()
    {
        lock (_gate)
            return _elapsedTicks;
    }

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        var timer = new VirtualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>
    /// Moves time forward and fires every timer that becomes due, on the calling thread, ordered by due time and then by when it was
    /// armed. During a callback the current time is the timer's due time. Timers that a callback arms are included.
    /// </summary>
    /// <param name="by">The time to advance by. Zero fires only timers that are already due.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="by"/> is negative.</exception>
    /// <remarks>Throws any exception of a callback. Time then stays at that timer's due time, and later timers stay armed.</remarks>
    public void Advance(TimeSpan by)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        var target = checked(GetTimestamp() + by.Ticks);
        while (TakeDue(target) is { } timer)
            timer.Fire();
    }

    /// <summary>Arms a timer, or disarms it if <paramref name="dueTime"/> is infinite. Returns <c>false</c> if it is disposed.</summary>
    internal bool Arm(VirtualTimer timer, TimeSpan dueTime, TimeSpan period)
    {
        lock (_gate)
        {
            // The order of the set depends on the due time, so a timer must be removed before its due time changes.
            _armed.Remove(timer);
            if (timer.IsRetired)
                return false;
            if (dueTime == Timeout.InfiniteTimeSpan)
                return true;
            timer.Schedule(_elapsedTicks + dueTime.Ticks, ++_armings, period);
            return _armed.Add(timer);
        }
    }

    internal void Retire(VirtualTimer timer)
    {
        lock (_gate)
        {
            timer.Retire();
            _armed.Remove(timer);
        }
    }

    // Time never goes back: a callback may itself have advanced past the target of the call that fired it.
    private VirtualTimer? TakeDue(long targetTicks)
    {
        lock (_gate)
        {
            if (_armed.Min is not { } next || next.DueTicks > targetTicks)
            {
                _elapsedTicks = long.Max(_elapsedTicks, targetTicks);
                return null;
            }

            _armed.Remove(next);
            _elapsedTicks = long.Max(_elapsedTicks, next.DueTicks);
            if (next.Period > TimeSpan.Zero)
            {
                next.Schedule(next.DueTicks + next.Period.Ticks, ++_armings, next.Period);
                _armed.Add(next);
            }

            return next;
        }
    }
}
