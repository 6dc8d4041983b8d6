namespace Tidemark;

/// <summary>
/// Runs the steps of the monitor, never two at once: when it is woken, and when the time has passed that the last step returned.
/// </summary>
internal abstract class MonitorDriver
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes after the last step.</summary>
    public virtual Task Ended => _ended.Task;

    /// <summary>Runs the first step, and from then on each that is due, until one returns <see langword="null"/>.</summary>
    /// <param name="step">Returns how long until something is due.</param>
    public abstract void Start(Func<TimeSpan?> step);

    /// <summary>Something has arrived: runs a step soon, and not within the caller unless that is what this driver is for.</summary>
    public abstract void Wake();

    protected void End() => _ended.TrySetResult();

    /// <summary>Timers take whole milliseconds and cut off the rest: the monitor would spin through the last one.</summary>
    protected static TimeSpan Whole(TimeSpan wait) => TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds));
}
