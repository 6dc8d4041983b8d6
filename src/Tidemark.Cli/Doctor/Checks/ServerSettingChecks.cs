using System.Collections.Immutable;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Checks for settings that lose data, fail writes or admit connections without a password.</summary>
internal static class ServerSettingChecks
{
    public static ImmutableArray<Check> All { get; } =
    [
        new("fsync-off", Of.All, [Section.Settings], FsyncOff),
        new("full-page-writes-off", Of.All, [Section.Settings], FullPageWritesOff),
        new("primary-read-only", Of.Primary, [Section.Settings], PrimaryReadOnly),
        new("isolation-not-read-committed", Of.All, [Section.Settings], IsolationNotReadCommitted),
        new("trust-beyond-loopback", Of.All, [Section.AccessRules], TrustBeyondLoopback),
    ];

    // Test clusters run without fsync on purpose. A production cluster does not run all its nodes on one machine.
    private static IEnumerable<Finding> FsyncOff(ClusterFacts cluster) => Check.Where(
        cluster.Members, node => node.Has("fsync", "off") ? "fsync = off" : null, cluster.IsOnOneMachine ? Severity.Notice : Severity.Error,
        "A power failure or a crash of the machine can corrupt the data.", Check.Set("fsync", "on"));

    private static IEnumerable<Finding> FullPageWritesOff(ClusterFacts cluster) => Check.Where(
        cluster.Members, node => node.Has("full_page_writes", "off") ? "full_page_writes = off" : null, cluster.IsOnOneMachine
            ? Severity.Notice : Severity.Error,
        "A page that was partially written in a crash cannot be repaired, and base backups from a standby fail.",
            Check.Set("full_page_writes", "on"));

    private static IEnumerable<Finding> PrimaryReadOnly(ClusterFacts cluster) => Check.Where(
        cluster.Primary is { } primary ? [primary] : [], node => node.Has("default_transaction_read_only", "on")
            ? $"default_transaction_read_only = on{From(node, "default_transaction_read_only")}" : null, Severity.Error,
        "Every write fails with 25006, although the primary is available.", Undo("default_transaction_read_only", "off"));

    private static IEnumerable<Finding> IsolationNotReadCommitted(ClusterFacts cluster)
    {
        var isSerializable = cluster.Replicas.Any(node => node.Has("default_transaction_isolation", "serializable"));
        return Check.Where(
            cluster.Members, node => node.Value("default_transaction_isolation") is { } level and not "read committed"
                ? $"default_transaction_isolation = {level}{From(node, "default_transaction_isolation")}" : null,
            isSerializable ? Severity.Error : Severity.Warning,
            isSerializable
                ? "A replica rejects serializable transactions with 0A000. It cannot serve any read that does not set another level, "
                    + "nor Tidemark's probe."
                : "Statements fail with 40001 after concurrent writes, and a transaction continues to show the data as of its "
                    + "beginning.",
            Undo("default_transaction_isolation", "'read committed'"));
    }

    private static IEnumerable<Finding> TrustBeyondLoopback(ClusterFacts cluster) => Check.Where(
        cluster.Reached, node => node.AccessRules is { Count: > 0 } rules
            ? string.Join("; ",
                rules.Select(rule => $"pg_hba.conf line {rule.Line}: {rule.Type} {rule.Databases} {rule.Roles} {rule.Address} trust"))
                : null, Severity.Warning,
        "Any client that can reach the port can connect as any role in those lines, without a password.",
        "Replace trust with scram-sha-256 in those lines, set passwords, then run: SELECT pg_reload_conf();");

    private static string From(NodeFacts node, string setting) =>
        node.Settings?.GetValueOrDefault(setting)?.Source is ("database" or "user" or "database user") and var source
        ? $" (set for the {source})" : "";

    private static ImmutableArray<string> Undo(string setting, string value) =>
        [$"SET {setting} = {value};   -- for this session, so that the next statements do not fail", .. Check.Set(setting, value),
            $"If it is set for a role or database: ALTER ROLE … RESET {setting}; ALTER DATABASE … RESET {setting};"];
}
