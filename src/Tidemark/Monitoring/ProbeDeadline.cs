namespace Tidemark;

/// <summary>
/// By when the answer of one node must arrive. The probe time-out counts for a question on an open connection; opening one takes several
/// round trips and is
/// given more. Written by the monitor when it sends, and by the thread that probes; the monitor reads it at any time.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="probeTimeout">For a question on an open connection.</param>
/// <param name="connectTimeout">For the first connection; also the most for any later one, unless the probe time-out is longer.</param>
internal sealed class ProbeDeadline(TimeProvider time, TimeSpan probeTimeout, TimeSpan connectTimeout)
{
    // A reconnect on a busy machine takes longer than the quickest one did.
    private const int TimesQuickest = 4;

    private long _dueBy;
    private long _allowedTicks;
    private long _connectingSince;
    private long _quickestTicks;
    private int _attempts;

    /// <summary>The most that opening a connection may take.</summary>
    public TimeSpan LongestConnect { get; } = connectTimeout > probeTimeout ? connectTimeout : probeTimeout;

    public long DueBy => Volatile.Read(ref _dueBy);

    /// <summary>How long the step under way may take.</summary>
    public TimeSpan Allowance => TimeSpan.FromTicks(Volatile.Read(ref _allowedTicks));

    /// <summary>How long the next connection may take.</summary>
    public TimeSpan ConnectAllowance
    {
        get
        {
            if (Volatile.Read(ref _attempts) == 0) return LongestConnect;
            var several = TimeSpan.FromTicks(Volatile.Read(ref _quickestTicks) * TimesQuickest);
            return several < probeTimeout ? probeTimeout : several < LongestConnect ? several : LongestConnect;
        }
    }

    /// <summary>A probe is sent; until its thread runs, it may need a connection.</summary>
    public void Sent() => Allow(ConnectAllowance);

    /// <summary>A connection is about to be opened.</summary>
    public void Connecting()
    {
        Allow(ConnectAllowance);
        _connectingSince = time.GetTimestamp();
        Volatile.Write(ref _attempts, _attempts + 1);
    }

    /// <summary>The connection is open and ready for the question.</summary>
    public void Connected()
    {
        var taken = time.GetElapsedTime(_connectingSince).Ticks;
        if (_quickestTicks == 0 || taken < _quickestTicks) Volatile.Write(ref _quickestTicks, taken);
    }

    /// <summary>The question is about to be sent on an open connection.</summary>
    public void Asking() => Allow(probeTimeout);

    private void Allow(TimeSpan allowance)
    {
        Volatile.Write(ref _allowedTicks, allowance.Ticks);
        Volatile.Write(ref _dueBy, time.GetTimestamp() + (long)(allowance.TotalSeconds * time.TimestampFrequency));
    }
}
