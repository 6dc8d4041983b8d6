namespace Tidemark.Cli.Doctor;

/// <summary>Where a figure becomes a finding, and how long servers have to answer.</summary>
internal sealed record DoctorBounds
{
    /// <summary>How old what a replica shows may be.</summary>
    public TimeSpan MaxStaleness { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a transaction may lie idle, or prepared.</summary>
    public TimeSpan MaxIdleTransaction { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a node has for all its answers.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a question waits for somebody's lock on the catalog.</summary>
    public TimeSpan LockTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a replica that is a little behind has to catch up before it counts as behind.</summary>
    public TimeSpan CatchUp { get; init; } = TimeSpan.FromSeconds(1);
}
