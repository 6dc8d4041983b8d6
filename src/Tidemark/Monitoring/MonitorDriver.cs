namespace Tidemark;

/// <summary>
/// Runs the steps of the monitor, one at a time. A step runs when the driver is woken, and when the time that the last step returned has
/// passed.
/// </summary>
internal abstract class MonitorDriver
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes after the last step.</summary>
    public virtual Task Ended => _ended.Task;

    /// <summary>Runs the first step, and then each step that is due, until one returns <see langword="null"/>.</summary>
    /// <param name="step">Runs one step, and returns the time until the next one is due.</param>
    public abstract void Start(Func<TimeSpan?> step);

    /// <summary>Runs a step soon because something has arrived. Does not run it inside this call, unless the driver is inline.</summary>
    public abstract void Wake();

    protected void End() => _ended.TrySetResult();

    /// <summary>
    /// Rounds up to whole milliseconds. Timers truncate to them, so the monitor would otherwise spin during the last one.
    /// </summary>
    protected static TimeSpan Whole(TimeSpan wait) => TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds));
}
