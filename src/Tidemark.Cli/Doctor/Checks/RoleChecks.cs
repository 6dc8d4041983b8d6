using System.Collections.Immutable;
using System.Globalization;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Checks whether there is one primary, and whether all replicas follow it.</summary>
internal static class RoleChecks
{
    public static ImmutableArray<Check> All { get; } =
    [
        new("no-primary", Of.All, [Section.Server], NoPrimary),
        new("two-primaries", Of.All, [Section.Server], TwoPrimaries),
        new("old-timeline", Of.Replicas, [Section.Receivers], OldTimeline),
        new("standby-not-configured", Of.Primary, [Section.Senders], StandbyNotConfigured),
    ];

    private static IEnumerable<Finding> NoPrimary(ClusterFacts cluster)
    {
        if (cluster.Claimants.Any() || !cluster.Replicas.Any() || cluster.Members.Any(node => node.Server is null)) return [];
        return Check.Where(
            cluster.Replicas, _ => "pg_is_in_recovery() = true", Severity.Error,
            cluster.Nodes.Any(node => node.Failure is not null)
                ? "Writes fail. Reads continue, with data that becomes stale. The primary may be the node that did not respond."
                : "Writes fail. Reads continue, with data that becomes stale. All configured nodes are replicas.",
            "Start the primary or add it to the nodes. If it is lost, run on the most advanced replica: SELECT pg_promote();");
    }

    private static IEnumerable<Finding> TwoPrimaries(ClusterFacts cluster)
    {
        if (cluster.Claimants.Count() < 2) return [];
        return Check.Where(
            cluster.Claimants,
                node =>
                $"pg_is_in_recovery() = false, timeline {node.Position?.Timeline?.ToString(CultureInfo.InvariantCulture) ?? "unknown"}",
                Severity.Error,
            cluster.Primary is { } primary
                ? $"{primary.Name} was promoted last and gets the writes of Tidemark. Writes that still reach "
                    + $"{Others(cluster, primary)} will be lost."
                : "The timeline does not show which one is current, so Tidemark sends writes to neither.",
            cluster.Primary is { } right
                ? $"Stop {Others(cluster, right)}, and rebuild it as a standby of {right.Name} with pg_rewind or a new base backup."
                : "Stop the server whose data can be discarded, and rebuild it as a standby of the other with pg_rewind or a new base "
                    + "backup.");
    }

    private static IEnumerable<Finding> OldTimeline(ClusterFacts cluster) => Check.Where(
        cluster.Replicas, node => node.Receivers is [{ ReceivedTimeline: { } timeline }] && timeline < cluster.Primary?.Position?.Timeline
            ? $"receives timeline {timeline}, {cluster.Primary.Name} is on {cluster.Primary.Position.Timeline}" : null, Severity.Error,
        "It follows a former primary. It does not receive new writes, and may show writes that were lost in the failover.",
        "SHOW primary_conninfo;",
        $"Change host and port in it to the address at which the replica reaches {cluster.Primary?.Name} (from this machine: "
            + $"{cluster.Primary?.Address ?? "unknown"}). Remove hostaddr, keep the rest (user, password, sslmode …), double each quote, "
            + $"and set the whole value: ALTER SYSTEM SET primary_conninfo = '…';",
        "SELECT pg_reload_conf();",
        "If the replica then logs that its timeline has forked off, rebuild it with pg_rewind or a base backup.");

    private static IEnumerable<Finding> StandbyNotConfigured(ClusterFacts cluster)
    {
        // A node that did not respond may be the standby that streams.
        if (cluster.Primary is not { Senders: { } senders } primary || cluster.Nodes.Any(node => node.Failure is not null)) return [];
        var logical = (primary.Slots ?? []).Where(slot => slot.Type == "logical").Select(slot => slot.ActivePid);
        var left = senders.Where(sender => sender.State is "streaming" or "catchup"
            && sender.Application is not ("pg_receivewal" or "pg_basebackup") && !logical.Contains(sender.Pid)).ToList();
        foreach (var receiver in cluster.Replicas.SelectMany(replica => replica.Receivers ?? []))
        {
            var own = primary.Slots?.FirstOrDefault(slot => slot.Active && slot.Name == receiver.SlotName)?.ActivePid;
            if (left.Find(sender => sender.Pid == own) is not { } match)
                match = left.Find(sender => sender.Application == receiver.Application);
            if (match is not null) left.Remove(match);
        }

        return left.Count == 0 || cluster.Replicas.Any(replica => replica.Receivers is null) ? [] :
        [
            new Finding(
                Severity.Notice, [primary.Name],
                    [.. left.Select(sender =>
                    $"{primary.Name}: {sender.Application} at {sender.Address ?? "a local socket"} is {sender.State}")],
                "A standby streams from the primary but serves no reads of this application.",
                    ["If it should serve reads, add it to the nodes with a name and a connection string."]),
        ];
    }

    private static string Others(ClusterFacts cluster, NodeFacts primary) =>
        string.Join(", ", cluster.Claimants.Where(node => node != primary).Select(node => node.Name));
}
