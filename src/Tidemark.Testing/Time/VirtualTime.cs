namespace Tidemark.Testing;

/// <summary>
/// Time that stands still until it is told to move: a <see cref="TimeProvider"/> for tests and simulations in which
/// every timer fires at exactly its instant, in an order that is the same in every run.
/// </summary>
/// <remarks>
/// A timer never fires inside <see cref="CreateTimer"/> or <see cref="ITimer.Change"/>, not even with a due time of
/// zero: it fires in the next <see cref="Advance"/>, which may be by zero. All members may be called from any thread,
/// and from the callback of a timer.
/// </remarks>
public sealed class VirtualTime : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly SortedSet<VirtualTimer> _armed = new(VirtualTimer.FiringOrder);
    private readonly DateTimeOffset _start;
    private long _elapsedTicks;
    private long _armings;

    /// <summary>Time that begins at 2000-01-01 00:00 UTC.</summary>
    public VirtualTime() : this(new DateTimeOffset(2000, 1, 1, 0, 0, 0, TimeSpan.Zero))
    {
    }

    /// <summary>Time that begins at a given instant.</summary>
    /// <param name="start">The first answer of <see cref="GetUtcNow"/>, in UTC.</param>
    public VirtualTime(DateTimeOffset start) => _start = start.ToUniversalTime();

    /// <summary>Ticks of <see cref="GetTimestamp"/> in a second: those of <see cref="TimeSpan"/>, so nothing is rounded.</summary>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>UTC, so that no test depends on the machine it runs on.</summary>
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <summary>How long until the next timer fires; null when none is armed. A simulator advances by this.</summary>
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
    /// Moves time forward and fires every timer that falls due on the way, on the calling thread, ordered by due time and
    /// then by when each was armed. During a callback the time is the timer's due time, and timers armed there take part.
    /// </summary>
    /// <param name="by">How far; zero fires only what is due already.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="by"/> is negative.</exception>
    /// <remarks>An exception of a callback comes out here, with time at that timer and the later ones still armed.</remarks>
    public void Advance(TimeSpan by)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        var target = checked(GetTimestamp() + by.Ticks);
        while (TakeDue(target) is { } timer)
            timer.Fire();
    }

    /// <summary>Arms a timer, or disarms it when <paramref name="dueTime"/> is infinite; false once it is disposed.</summary>
    internal bool Arm(VirtualTimer timer, TimeSpan dueTime, TimeSpan period)
    {
        lock (_gate)
        {
            // The place in the set depends on the due time, so a timer must leave it before that changes.
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

    // Time only ever grows: a callback may itself have advanced past the target of the call that fired it.
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
