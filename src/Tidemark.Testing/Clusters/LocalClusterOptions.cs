namespace Tidemark.Testing;

/// <summary>The options of a <see cref="LocalCluster"/>. All have working defaults.</summary>
public sealed class LocalClusterOptions
{
    /// <summary>The longest delay that PostgreSQL accepts.</summary>
    internal static readonly TimeSpan LongestDelay = TimeSpan.FromMilliseconds(int.MaxValue);

    /// <summary>The number of hot standbys: 0 to 14. Default 2.</summary>
    public int Replicas { get; init; } = 2;

    /// <summary>
    /// The major version of PostgreSQL: 15 to 18. A version that is not installed is fetched. If <c>null</c> (default), uses the first
    /// version found, or fetches the newest one available.
    /// </summary>
    public int? PostgresVersion { get; init; }

    /// <summary>The database in <see cref="LocalNode.ConnectionString"/>, created empty. Default <c>store</c>.</summary>
    public string Database { get; init; } = "store";

    /// <summary>
    /// The name to keep the cluster under: up to 63 letters, digits and <c>. _ -</c>, of which the first is a letter or digit. The servers
    /// and data of a kept cluster outlive the process, until <see cref="LocalCluster.DeleteAsync"/>. The data is on disk and survives an
    /// orderly reboot; a power failure may damage it. If <c>null</c> (default), servers and data end with the process.
    /// </summary>
    public string? Name { get; init; }

    /// <summary>
    /// Whether every commit on the primary waits until all replicas have written it to disk (<c>synchronous_commit = on</c>). A replica
    /// that is down then blocks all commits. If <c>false</c> (default), <c>synchronous_commit</c> is <c>local</c>, which a transaction
    /// can raise.
    /// </summary>
    public bool SynchronousReplicas { get; init; }

    /// <summary>
    /// The delay before replicas replay a commit, as with <see cref="LocalNode.DelayReplayAsync"/>: one value for all replicas, or one for
    /// each. Whole milliseconds, 0 to 24 days. Default empty: no delay.
    /// </summary>
    public IReadOnlyList<TimeSpan> ReplayDelays { get; init; } = [];

    /// <summary>
    /// PostgreSQL settings for every node. They override the defaults that make a cluster fast and deterministic, such as
    /// <c>fsync = off</c>, <c>autovacuum = off</c> and <c>max_connections = 200</c>. Settings that connect the nodes are rejected: ports,
    /// addresses, names, <c>primary_conninfo</c>, <c>synchronous_standby_names</c>. To change one of these in a test, use
    /// <c>ALTER SYSTEM</c>, which overrides everything.
    /// </summary>
    public IDictionary<string, string> Settings { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// The parent folder of the cluster's own folder. If <c>null</c> (default), uses the RAM disk <c>/dev/shm</c> if it exists and has
    /// 128 MB free, plus 128 MB for each node; otherwise the temporary folder. Cannot be combined with <see cref="Name"/>: kept clusters
    /// have a folder of their own.
    /// </summary>
    public string? Directory { get; init; }

    /// <summary>Longest wait for a server to start, stop, promote or replay, excluding downloads. Above 0. Default 30 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Receives one line for each step of the start. Default <c>null</c>.</summary>
    public IProgress<LocalClusterProgress>? Progress { get; init; }

    /// <summary>
    /// The clock for timeouts and polling. Default <see cref="TimeProvider.System"/>. Servers run in real time, so a virtual clock that
    /// does not advance waits for them forever.
    /// </summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Returns all errors in these options; empty if they are valid.</summary>
    internal IEnumerable<string> FindErrors()
    {
        if (Replicas is < 0 or > PortBlock.MostNodes - 1)
            yield return $"Replicas is {Replicas}; it must be 0 to {PortBlock.MostNodes - 1}.";
        if (PostgresVersion is < PostgresVersions.Oldest or > PostgresVersions.Newest)
            yield return $"PostgresVersion is {PostgresVersion}; it must be {PostgresVersions.Oldest} to {PostgresVersions.Newest}, or null.";
        if (Timeout <= TimeSpan.Zero)
            yield return $"Timeout is {Timeout}; it must be above 0.";
        if (string.IsNullOrWhiteSpace(Database) || Database.AsSpan().ContainsAny('\0', '\n', '"'))
            yield return "Database must be a non-empty name without double quotes or line breaks.";
        if (Name is not null && !ClusterName.IsValid(Name))
            yield return $"Name \"{Name}\" is not a valid cluster name: {ClusterName.Rule}.";
        if (Name is not null && Directory is not null)
            yield return "Directory and Name cannot be combined: kept clusters are in "
                + $"{SearchEnvironment.Current().Clusters} ({SearchEnvironment.ClustersVariable}).";
        if (ReplayDelays.Count > 1 && ReplayDelays.Count != Replicas)
            yield return $"ReplayDelays has {ReplayDelays.Count} values for {Replicas} replicas; "
                + "it must have one value, or one for each replica.";
        if (ReplayDelays.Any(delay => delay < TimeSpan.Zero || delay > LongestDelay))
            yield return "ReplayDelays must be from 0 to 24 days.";
        foreach (var error in ServerSettings.FindErrors(Settings.Keys))
            yield return error;
    }
}
