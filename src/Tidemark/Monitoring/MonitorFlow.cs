namespace Tidemark;

/// <summary>
/// Runs the monitor without its own thread. Steps run inside the call that wakes it, so that a simulation has one thread and repeats
/// exactly for each seed. For tests that probe through a delegate, steps run on the thread pool.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="isInline">
/// If <see langword="true"/>, steps run inside the call that wakes the monitor. Otherwise they run on the thread pool, except for the first
/// one.
/// </param>
#pragma warning disable CA1001 // The last step disposes of the timer.
internal sealed class MonitorFlow(TimeProvider time, bool isInline) : MonitorDriver
#pragma warning restore CA1001
{
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _endedInline = new();
    private Func<TimeSpan?> _step = static () => null;
    private ITimer? _timer;
    private bool _isRunning;
    private bool _isWoken;

    public override Task Ended => isInline ? _endedInline.Task : base.Ended;

    public override void Start(Func<TimeSpan?> step)
    {
        // The steps outlive the caller. The caller's trace and session must not flow into them.
        using var noFlow = ExecutionContext.IsFlowSuppressed() ? default : ExecutionContext.SuppressFlow();
        _step = step;
        _timer = time.CreateTimer(static driver => ((MonitorFlow)driver!).Wake(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _isRunning = true;
        Run();
    }

    public override void Wake()
    {
        lock (_gate)
        {
            _isWoken = true;
            if (_isRunning) return;
            _isRunning = true;
        }

        if (isInline) Run();
        else ThreadPool.UnsafeQueueUserWorkItem(static driver => driver.Run(), this, preferLocal: false);
    }

    private void Run()
    {
        while (true)
        {
            lock (_gate) _isWoken = false;
            if (_step() is not { } wait)
            {
                // _isRunning stays true, so that Wake does nothing from now on.
                _timer?.Dispose();
                _endedInline.TrySetResult();
                End();
                return;
            }

            lock (_gate)
            {
                if (_isWoken) continue;
                _isRunning = false;
                _timer!.Change(Whole(wait), Timeout.InfiniteTimeSpan);
                return;
            }
        }
    }
}
