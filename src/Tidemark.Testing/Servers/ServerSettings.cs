using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Tidemark.Testing;

/// <summary>
/// Composes the configuration file of one node: the defaults, then the user's settings, then the settings that connect the nodes. Pure.
/// </summary>
internal static partial class ServerSettings
{
    // Fast and deterministic. Nothing is synced to disk, because a cluster that a power failure damages is recreated in seconds. Nothing
    // writes WAL in the background, so the LSN of an idle cluster does not change.
    private static readonly (string Name, string Value)[] Defaults =
    [
        ("fsync", "off"),
        ("full_page_writes", "on"),              // a server must recover from its own crash, though not from one of the machine
        ("autovacuum", "off"),
        ("checkpoint_timeout", "1h"),
        ("shared_buffers", "32MB"),
        ("max_connections", "200"),
        ("jit", "off"),
        ("wal_level", "replica"),
        ("wal_log_hints", "on"),                 // required by pg_rewind
        ("wal_keep_size", "64MB"),               // followers of a promoted node may need WAL from before its checkpoint
        ("max_slot_wal_keep_size", "1GB"),       // a stopped replica must not fill the RAM disk
        ("max_wal_senders", "20"),
        ("max_replication_slots", "20"),
        ("synchronous_commit", "local"),         // a stopped replica blocks no commit; a transaction requests remote_apply itself
        ("wal_sender_timeout", "10s"),
        ("hot_standby", "on"),
        ("hot_standby_feedback", "on"),
        ("max_standby_streaming_delay", "5s"),
        ("wal_receiver_status_interval", "1s"),
        ("wal_retrieve_retry_interval", "100ms"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
        ("lc_messages", "C"),                    // messages are quoted, and the code matches some of them
        ("log_line_prefix", "%m %b[%p] "),
    ];

    private static readonly HashSet<string> Owned = new(StringComparer.OrdinalIgnoreCase)
    {
        "listen_addresses", "port", "unix_socket_directories", "cluster_name", "logging_collector", "log_destination",
        "dynamic_shared_memory_type", "data_directory", "hba_file", "external_pid_file", "primary_conninfo", "primary_slot_name",
        "recovery_min_apply_delay", "synchronous_standby_names",
    };

    /// <summary>Returns the name of a node's replication slot. Slot names cannot contain hyphens.</summary>
    public static string SlotOf(string node) => node.Replace('-', '_');

    public static IEnumerable<string> FindErrors(IEnumerable<string> names) => names
        .Where(name => !SettingName().IsMatch(name) || Owned.Contains(name))
        .Select(name => Owned.Contains(name)
            ? $"Settings contains {name}, which the cluster sets itself. Remove it, or change it with ALTER SYSTEM."
            : $"Settings contains \"{name}\", which is not a valid setting name.");

    /// <summary>Returns the settings in which this cluster differs from the defaults.</summary>
    /// <param name="isKept">
    /// Whether the cluster is kept and all servers have started once. Until then, replicas wait for the primary and must retry at the
    /// default interval.
    /// </param>
    /// <param name="isSynchronous">Whether every commit waits for all replicas.</param>
    public static IEnumerable<KeyValuePair<string, string>> Of(bool isKept, bool isSynchronous)
    {
        if (isKept)
            yield return new("wal_retrieve_retry_interval", "1s");      // each attempt adds lines to a log that is never truncated
        if (isSynchronous)
            yield return new("synchronous_commit", "on");
    }

    public static string Compose(IEnumerable<KeyValuePair<string, string>> chosen, ServerRole role)
    {
        var text = new StringBuilder("# Tidemark rewrites this file at every change. ALTER SYSTEM overrides it.\n");
        foreach (var (name, value) in Defaults)
            Append(text, name, value);
        foreach (var (name, value) in chosen)
            Append(text, name, value);
        foreach (var (name, value) in OwnedBy(role))
            Append(text, name, value);
        return text.ToString();
    }

    private static IEnumerable<(string Name, string Value)> OwnedBy(ServerRole role)
    {
        yield return ("listen_addresses", "127.0.0.1");
        yield return ("port", role.Port.ToString(CultureInfo.InvariantCulture));
        yield return ("cluster_name", role.Name);
        yield return ("unix_socket_directories", "");               // a socket path is limited to 107 bytes, and folder paths are long
        yield return ("logging_collector", "off");
        yield return ("log_destination", "stderr");
        yield return ("dynamic_shared_memory_type", "mmap");        // is in the data directory, and is deleted with it
        yield return ("recovery_min_apply_delay", $"{role.ApplyDelay.TotalMilliseconds:F0}ms");
        yield return ("synchronous_standby_names", SynchronousNames(role.Followers));
        if (role.PrimaryPort is not { } primaryPort)
            yield break;
        yield return ("primary_conninfo", $"host=127.0.0.1 port={primaryPort} user=postgres application_name={role.Name} "
            + "sslmode=disable gssencmode=disable connect_timeout=5");
        yield return ("primary_slot_name", SlotOf(role.Name));
    }

    private static string SynchronousNames(IReadOnlyList<string> followers) => followers.Count == 0
        ? ""
        : $"FIRST {followers.Count} ({string.Join(", ", followers.Select(name => $"\"{name}\""))})";

    private static void Append(StringBuilder text, string name, string value) => text
        .Append(name).Append(" = '")
        .Append(value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal))
        .Append("'\n");

    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_.]*$")]
    private static partial Regex SettingName();
}
