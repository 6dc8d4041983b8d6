using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Checks whether the standbys that commits wait for are connected.</summary>
internal static partial class SynchronousChecks
{
    public static ImmutableArray<Check> All { get; } =
    [
        new("synchronous-without-standby", Of.Primary, [Section.Settings], SynchronousWithoutStandby),
        new("synchronous-standby-missing", Of.Primary, [Section.Settings, Section.Senders], SynchronousStandbyMissing),
        new("asynchronous-commit", Of.Primary, [Section.Settings], AsynchronousCommit),
    ];

    private static IEnumerable<Finding> SynchronousWithoutStandby(ClusterFacts cluster) => Check.Where(
        Primaries(cluster), node => node.Value("synchronous_commit") is "remote_apply" or "remote_write"
            && node.Has("synchronous_standby_names", "")
            ? $"synchronous_commit = {node.Value("synchronous_commit")}, synchronous_standby_names is empty" : null, Severity.Warning,
        "Commits are configured to wait for replicas, but wait for none. They may be lost in a failover.",
        ["Run this only when a standby streams. Without one, every commit hangs:",
            .. Check.Set("synchronous_standby_names", "'ANY 1 (*)'")]);

    private static IEnumerable<Finding> SynchronousStandbyMissing(ClusterFacts cluster) => Check.Where(
        Primaries(cluster), node => node.Value("synchronous_standby_names") is { Length: > 0 } names && node.Senders is { } senders
            && Connected(senders) < Required(names)
            ? $"synchronous_standby_names = {names} requires {Required(names)}, {Connected(senders)} connected" : null,
        cluster.Primary?.Value("synchronous_commit") is "local" or "off" ? Severity.Warning : Severity.Error,
        cluster.Primary?.Value("synchronous_commit") is "local" or "off"
            ? "A transaction that requests a synchronous commit hangs until the standby is back. Other transactions are not affected, "
                + "since synchronous_commit does not wait for a standby by default."
            : "Every commit hangs until the standby is back.",
        cluster.Primary?.Senders?.Any(IsStandby) == true
            ? ["Start the standby, correct its application_name (cluster_name), or accept any connected standby:",
                .. Check.Set("synchronous_standby_names", "'ANY 1 (*)'")]
            : ["Start the standby. No standby streams now; to continue without one, disable synchronous replication:",
                .. Check.Set("synchronous_standby_names", "''")]);

    private static IEnumerable<Finding> AsynchronousCommit(ClusterFacts cluster) => Check.Where(
        Primaries(cluster), node => node.Has("synchronous_commit", "off") ? "synchronous_commit = off" : null, Severity.Notice,
        "A crash of the primary loses about half a second of acknowledged commits, and replicas receive each commit later.",
        Check.Set("synchronous_commit", "on"));

    private static IEnumerable<NodeFacts> Primaries(ClusterFacts cluster) => cluster.Primary is { } primary ? [primary] : [];

    private static int Connected(IEnumerable<Sender> senders) =>
        senders.Count(sender => sender is { State: "streaming", SyncState: "sync" or "quorum" });

    // Programs that copy WAL to files also stream, but never confirm a commit.
    private static bool IsStandby(Sender sender) =>
        sender.State == "streaming" && sender.Application is not ("pg_receivewal" or "pg_basebackup");

    /// <summary>
    /// The number of standbys that a commit waits for: <c>FIRST 2 (…)</c>, <c>ANY 1 (…)</c>, <c>2 (…)</c>, or a plain list, which means
    /// one.
    /// </summary>
    internal static int Required(string names) =>
        Count().Match(names) is { Success: true } match ? int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : 1;

    [GeneratedRegex(@"^\s*(?:(?:FIRST|ANY)\s+)?([0-9]+)\s*\(", RegexOptions.IgnoreCase)]
    private static partial Regex Count();
}
