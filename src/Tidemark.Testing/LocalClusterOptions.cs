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
    /// Server settings for every node, over the defaults that make a cluster quick and exact (such as <c>fsync = off</c>,
    /// <c>autovacuum = off</c>, <c>max_connections = 200</c>). Those that tie the nodes together are refused:
    /// ports, addresses, names, <c>primary_conninfo</c>, <c>synchronous_standby_names</c>; a test that must change one of
    /// them uses <c>ALTER SYSTEM</c>, which overrides everything.
    /// </summary>
    public IDictionary<string, string> Settings { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// Folder in which the cluster makes its own. Default null: the RAM disk <c>/dev/shm</c> where it exists and has room
    /// (128 MB and as much again for each node), else the temporary folder.
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
        foreach (var error in ServerSettings.FindErrors(Settings.Keys))
            yield return error;
    }
}
