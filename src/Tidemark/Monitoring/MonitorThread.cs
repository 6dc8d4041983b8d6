namespace Tidemark;

/// <summary>Runs the monitor on its own background thread, without using the thread pool.</summary>
/// <param name="time">The clock. A time provider other than the system clock wakes the thread with its timers.</param>
#pragma warning disable CA1001 // The last step disposes of the timer.
internal sealed class MonitorThread(TimeProvider time) : MonitorDriver
#pragma warning restore CA1001
{
    private const int StackSize = 512 * 1024;

    private readonly object _gate = new();
    private ITimer? _timer;
    private bool _isAwake;

    // UnsafeStart: the thread outlives the caller. The caller's trace and session must not flow into it.
    public override void Start(Func<TimeSpan?> step) =>
        new Thread(() => Run(step), StackSize) { IsBackground = true, Name = "tidemark monitor" }.UnsafeStart();

    public override void Wake()
    {
        lock (_gate)
        {
            _isAwake = true;
            Monitor.Pulse(_gate);
        }
    }

    private void Run(Func<TimeSpan?> step)
    {
        if (!ReferenceEquals(time, TimeProvider.System))
            _timer = time.CreateTimer(static driver => ((MonitorThread)driver!).Wake(), this, Timeout.InfiniteTimeSpan,
                Timeout.InfiniteTimeSpan);
        while (step() is { } wait) Rest(Whole(wait));
        _timer?.Dispose();
        End();
    }

    private void Rest(TimeSpan wait)
    {
        _timer?.Change(wait, Timeout.InfiniteTimeSpan);
        lock (_gate)
        {
            if (_timer is null && !_isAwake) Monitor.Wait(_gate, wait);
            while (_timer is not null && !_isAwake) Monitor.Wait(_gate);
            _isAwake = false;
        }
    }
}
