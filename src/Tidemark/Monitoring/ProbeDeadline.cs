namespace Tidemark;

/// <summary>
/// The deadline for the response of a node. The probe timeout applies to a query on an open connection. Opening a connection takes several
/// round trips and is allowed more time. The monitor writes the deadline when it sends, and the probe thread while it probes. The monitor
/// can read it at any time.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="probeTimeout">Maximum time for a query on an open connection.</param>
/// <param name="connectTimeout">
/// Maximum time for opening the first connection. It also limits every later one, unless the probe timeout is longer.
/// </param>
internal sealed class ProbeDeadline(TimeProvider time, TimeSpan probeTimeout, TimeSpan connectTimeout)
{
    // A reconnect on a busy machine takes longer than the fastest connect so far.
    private const int TimesQuickest = 4;

    private long _dueBy;
    private long _allowedTicks;
    private long _connectingSince;
    private long _quickestTicks;
    private int _attempts;

    /// <summary>Maximum time for opening a connection.</summary>
    public TimeSpan LongestConnect { get; } = connectTimeout > probeTimeout ? connectTimeout : probeTimeout;

    public long DueBy => Volatile.Read(ref _dueBy);

    /// <summary>Maximum time for the current phase of the probe.</summary>
    public TimeSpan Allowance => TimeSpan.FromTicks(Volatile.Read(ref _allowedTicks));

    /// <summary>Maximum time for opening the next connection.</summary>
    public TimeSpan ConnectAllowance
    {
        get
        {
            if (Volatile.Read(ref _attempts) == 0) return LongestConnect;
            var several = TimeSpan.FromTicks(Volatile.Read(ref _quickestTicks) * TimesQuickest);
            return several < probeTimeout ? probeTimeout : several < LongestConnect ? several : LongestConnect;
        }
    }

    /// <summary>Records that a probe is sent. It may need a connection, which is not known until its thread runs.</summary>
    public void Sent() => Allow(ConnectAllowance);

    /// <summary>Records that a connection is about to be opened.</summary>
    public void Connecting()
    {
        Allow(ConnectAllowance);
        _connectingSince = time.GetTimestamp();
        Volatile.Write(ref _attempts, _attempts + 1);
    }

    /// <summary>Records that the connection is open and ready for the query.</summary>
    public void Connected()
    {
        var taken = time.GetElapsedTime(_connectingSince).Ticks;
        if (_quickestTicks == 0 || taken < _quickestTicks) Volatile.Write(ref _quickestTicks, taken);
    }

    /// <summary>Records that the query is about to be sent on an open connection.</summary>
    public void Asking() => Allow(probeTimeout);

    private void Allow(TimeSpan allowance)
    {
        Volatile.Write(ref _allowedTicks, allowance.Ticks);
        Volatile.Write(ref _dueBy, time.GetTimestamp() + (long)(allowance.TotalSeconds * time.TimestampFrequency));
    }
}
