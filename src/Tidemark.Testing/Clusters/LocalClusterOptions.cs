namespace Tidemark.Testing;

/// <summary>What a <see cref="LocalCluster"/> consists of. The defaults work.</summary>
public sealed class LocalClusterOptions
{
    /// <summary>The oldest major version of PostgreSQL that is supported.</summary>
    internal const int OldestVersion = 15;

    /// <summary>The newest major version of PostgreSQL this was tested with, and the one fetched when none is asked for.</summary>
    internal const int NewestVersion = 18;

    /// <summary>Hot standbys beside the primary. Default 2; 0 to 14.</summary>
    public int Replicas { get; init; } = 2;

    /// <summary>
    /// Major version of PostgreSQL, 15 to 18. Default null: the first one found, or else the newest that can be fetched.
    /// A version that is not installed is fetched.
    /// </summary>
    public int? PostgresVersion { get; init; }

    /// <summary>The database in <see cref="LocalNode.ConnectionString"/>, created empty. Default <c>store</c>.</summary>
    public string Database { get; init; } = "store";

    /// <summary>
    /// Keeps the cluster under a name: its servers and data outlive the process, until <see cref="LocalCluster.DeleteAsync"/>.
    /// Its data is on disk, and survives an orderly reboot; a power failure may damage it. Default
    /// null: they end with it. Letters, digits and <c>. _ -</c>, of which the first is a letter or digit; at most 63.
    /// </summary>
    public string? Name { get; init; }

    /// <summary>
    /// Whether every commit on the primary waits until all replicas have it on disk (<c>synchronous_commit = on</c>), so that a replica
    /// that is down holds up all commits. Default false: <c>synchronous_commit = local</c>, which a transaction can raise.
    /// </summary>
    public bool SynchronousReplicas { get; init; }

    /// <summary>
    /// How long replicas let a commit wait before they replay it, as with <see cref="LocalNode.DelayReplayAsync"/>: one for all of them, or
    /// one for each. Default empty: no delay. Whole milliseconds; 0 to 24 days.
    /// </summary>
    public IReadOnlyList<TimeSpan> ReplayDelays { get; init; } = [];

    /// <summary>
    /// Server settings for every node, over the defaults that make a cluster quick and exact (such as <c>fsync = off</c>,
    /// <c>autovacuum = off</c>, <c>max_connections = 200</c>). Those that tie the nodes together are refused:
    /// ports, addresses, names, <c>primary_conninfo</c>, <c>synchronous_standby_names</c>; a test that must change one of
    /// them uses <c>ALTER SYSTEM</c>, which overrides everything.
    /// </summary>
    public IDictionary<string, string> Settings { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// Folder in which the cluster makes its own. Default null: the RAM disk <c>/dev/shm</c> where it exists and has room
    /// (128 MB and as much again for each node), else the temporary folder. Not for a cluster that is kept: those have a place of their
    /// own.
    /// </summary>
    public string? Directory { get; init; }

    /// <summary>Longest wait for servers: to start, stop, promote, replay. Default 30 s; above 0. Downloads do not count.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Receives one line for each thing done while starting. Default null: silent.</summary>
    public IProgress<LocalClusterProgress>? Progress { get; init; }

    /// <summary>
    /// The time waited by. Default <see cref="TimeProvider.System"/>, and rightly so: servers are real, so time that stands
    /// still waits for them for ever.
    /// </summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>All that is wrong with these options; empty when they can be used.</summary>
    internal IEnumerable<string> FindErrors()
    {
        if (Replicas is < 0 or > PortBlock.MostNodes - 1)
            yield return $"Replicas is {Replicas}; it must be 0 to {PortBlock.MostNodes - 1}.";
        if (PostgresVersion is < OldestVersion or > NewestVersion)
            yield return $"PostgresVersion is {PostgresVersion}; it must be {OldestVersion} to {NewestVersion}, or null.";
        if (Timeout <= TimeSpan.Zero)
            yield return $"Timeout is {Timeout}; it must be above 0.";
        if (string.IsNullOrWhiteSpace(Database) || Database.AsSpan().ContainsAny('\0', '\n', '"'))
            yield return "Database must be a name without quotes and line breaks.";
        if (Name is not null && !KeptState.IsName(Name))
            yield return $"\"{Name}\" cannot be the name of a cluster: {KeptCluster.NameRule}.";
        if (Name is not null && Directory is not null)
            yield return $"Directory and Name exclude each other: clusters that are kept are in {SearchEnvironment.Current().Clusters} ({SearchEnvironment.ClustersVariable}).";
        if (ReplayDelays.Count > 1 && ReplayDelays.Count != Replicas)
            yield return $"ReplayDelays has {ReplayDelays.Count} delays for {Replicas} replicas; it must have one for all of them, or "
                + "one for each.";
        if (ReplayDelays.Any(delay => delay < TimeSpan.Zero || delay > LocalNode.LongestDelay))
            yield return "ReplayDelays must be from 0 to 24 days.";
        foreach (var error in ServerSettings.FindErrors(Settings.Keys))
            yield return error;
    }
}
