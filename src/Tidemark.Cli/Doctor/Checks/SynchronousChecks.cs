using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Whether commits wait for somebody who is there.</summary>
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
        "Commits promise to wait for replicas and wait for none: after a failover they may be lost.",
        ["Once a standby streams; while none does, this hangs every commit:", .. Check.Set("synchronous_standby_names", "'ANY 1 (*)'")]);

    private static IEnumerable<Finding> SynchronousStandbyMissing(ClusterFacts cluster) => Check.Where(
        Primaries(cluster), node => node.Value("synchronous_standby_names") is { Length: > 0 } names && node.Senders is { } senders
            && Connected(senders) < Required(names)
            ? $"synchronous_standby_names = {names} wants {Required(names)}, {Connected(senders)} connected" : null,
        cluster.Primary?.Value("synchronous_commit") is "local" or "off" ? Severity.Warning : Severity.Error,
        cluster.Primary?.Value("synchronous_commit") is "local" or "off"
            ? "A transaction that asks for a synchronous commit hangs until the standby is back; all others go on, for "
                + "synchronous_commit waits for nobody by default."
            : "Every commit hangs until the standby is back.",
        cluster.Primary?.Senders?.Any(IsStandby) == true
            ? ["Bring the standby back, correct its application_name (cluster_name), or take those that are there:",
                .. Check.Set("synchronous_standby_names", "'ANY 1 (*)'")]
            : ["Bring the standby back. None streams now, so to go on without one, commits must wait for nobody:",
                .. Check.Set("synchronous_standby_names", "''")]);

    private static IEnumerable<Finding> AsynchronousCommit(ClusterFacts cluster) => Check.Where(
        Primaries(cluster), node => node.Has("synchronous_commit", "off") ? "synchronous_commit = off" : null, Severity.Notice,
        "A crash of the primary loses commits that were acknowledged, about half a second of them, and replicas get each commit later.",
        Check.Set("synchronous_commit", "on"));

    private static IEnumerable<NodeFacts> Primaries(ClusterFacts cluster) => cluster.Primary is { } primary ? [primary] : [];

    private static int Connected(IEnumerable<Sender> senders) =>
        senders.Count(sender => sender is { State: "streaming", SyncState: "sync" or "quorum" });

    // What copies WAL to files streams too, and never says that it has a commit.
    private static bool IsStandby(Sender sender) =>
        sender.State == "streaming" && sender.Application is not ("pg_receivewal" or "pg_basebackup");

    /// <summary>
    /// How many standbys a commit waits for: <c>FIRST 2 (…)</c>, <c>ANY 1 (…)</c>, <c>2 (…)</c>, or a mere list, which is one.
    /// </summary>
    internal static int Required(string names) =>
        Count().Match(names) is { Success: true } match ? int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : 1;

    [GeneratedRegex(@"^\s*(?:(?:FIRST|ANY)\s+)?([0-9]+)\s*\(", RegexOptions.IgnoreCase)]
    private static partial Regex Count();
}
