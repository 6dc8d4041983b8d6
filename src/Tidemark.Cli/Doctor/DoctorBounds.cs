namespace Tidemark.Cli.Doctor;

/// <summary>Thresholds above which a value becomes a finding, and time-outs for the servers.</summary>
internal sealed record DoctorBounds
{
    /// <summary>Maximum staleness of a replica. Default: 30 s.</summary>
    public TimeSpan MaxStaleness { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Maximum time that a transaction may be idle or prepared. Default: 5 min.</summary>
    public TimeSpan MaxIdleTransaction { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Time-out for all queries to one node. Default: 5 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a query waits for a lock on the catalog. Default: 1 s.</summary>
    public TimeSpan LockTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a lagging replica may take to catch up before it counts as lagging. Default: 1 s.</summary>
    public TimeSpan CatchUp { get; init; } = TimeSpan.FromSeconds(1);
}
