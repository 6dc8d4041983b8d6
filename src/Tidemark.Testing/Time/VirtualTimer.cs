namespace Tidemark.Testing;

/// <summary>A timer of <see cref="VirtualTime"/>, which writes the schedule under its own lock.</summary>
internal sealed class VirtualTimer(VirtualTime time, TimerCallback callback, object? state) : ITimer
{
    // Rejects the same values as System.Threading.Timer, so that code that runs in a test does not throw in production.
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(uint.MaxValue - 1);

    // A real timer runs its callback in the execution context (async-locals) of the code that created it.
    private readonly ExecutionContext? _context = ExecutionContext.Capture();

    public static IComparer<VirtualTimer> FiringOrder { get; } = Comparer<VirtualTimer>.Create(static (a, b) =>
        a.DueTicks.CompareTo(b.DueTicks) is var byDue and not 0 ? byDue : a.Sequence.CompareTo(b.Sequence));

    public long DueTicks { get; private set; }

    public long Sequence { get; private set; }

    public TimeSpan Period { get; private set; }

    public bool IsRetired { get; private set; }

    public bool Change(TimeSpan dueTime, TimeSpan period)
    {
        Check(dueTime, nameof(dueTime));
        Check(period, nameof(period));
        return time.Arm(this, dueTime, period);
    }

    public void Schedule(long dueTicks, long sequence, TimeSpan period) => (DueTicks, Sequence, Period) = (dueTicks, sequence, period);

    public void Retire() => IsRetired = true;

    public void Fire()
    {
        if (_context is null)
            callback(state);
        else
            ExecutionContext.Run(_context, callback.Invoke, state);
    }

    public void Dispose()
    {
        time.Retire(this);
        _context?.Dispose();
    }

    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    private static void Check(TimeSpan value, string name)
    {
        if (value == Timeout.InfiniteTimeSpan)
            return;
        ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.Zero, name);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, Longest, name);
    }
}
