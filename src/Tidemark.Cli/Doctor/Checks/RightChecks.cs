using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Checks whether the role has the privileges that Tidemark needs.</summary>
internal static partial class RightChecks
{
    public static ImmutableArray<Check> All { get; } =
    [
        new("identity-hidden", Of.All, [], IdentityHidden),
        new("timeline-hidden", Of.All, [Section.Server], TimelineHidden),
        new("positions-hidden", Of.All, [], PositionsHidden),
        new("role-sees-too-little", Of.All, [], RoleSeesTooLittle),
    ];

    private static IEnumerable<Finding> IdentityHidden(ClusterFacts cluster) => Check.Where(
        cluster.Reached, node => node.Unseen.TryGetValue(Section.Identity, out var because) && IsRefusal(because)
            ? $"pg_control_system(): {because}" : null, Severity.Error,
        "The cluster of the node cannot be determined, so Tidemark's probe fails and the node serves nothing.",
        $"GRANT EXECUTE ON FUNCTION pg_control_system() TO {Role(cluster)};");

    // Documented: without the privilege, a replica left behind on an old timeline cannot be distinguished from one that keeps up.
    private static IEnumerable<Finding> TimelineHidden(ClusterFacts cluster) => !cluster.IsReplicated ? [] : Check.Where(
        cluster.Members, node => node.Server is { SeesStatistics: false } server
            ? $"role {server.Role} is not a member of pg_read_all_stats" : null, Severity.Error,
        "The role cannot read which timeline a replica follows. After a failover, a replica serves reads that need a newer WAL position "
            + "only when its control file shows the new timeline, and a replica that was left behind continues to serve other reads. If "
            + "the application uses another role, run this command with that role.",
        $"GRANT pg_read_all_stats TO {Role(cluster)};");

    private static IEnumerable<Finding> PositionsHidden(ClusterFacts cluster) => Check.Where(
        cluster.Reached, node => node.Unseen.TryGetValue(Section.Position, out var because) && IsRefusal(because)
            ? $"WAL position: {because}" : null, Severity.Error,
        "The WAL position of the node is unknown, so reads that must include a WAL position go to the primary.",
        $"GRANT EXECUTE ON FUNCTION pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn(), pg_last_wal_replay_lsn() TO {Role(cluster)};");

    private static IEnumerable<Finding> RoleSeesTooLittle(ClusterFacts cluster) => Check.Where(
        cluster.Reached, node => node.Unseen.Where(one => one.Key is not (Section.Identity or Section.Position) && IsRefusal(one.Value))
            .Select(one => Questions.Source(one.Key)).Order(StringComparer.Ordinal).ToList() is { Count: > 0 } hidden
            ? $"role {node.Server?.Role} cannot read {string.Join(", ", hidden)}" : null, Severity.Notice,
        "The report is incomplete. The checks that could not be made are listed at its end.",
        "Run tidemark doctor as a superuser, or:", $"GRANT pg_monitor TO {Role(cluster)};", $"GRANT SELECT ON pg_hba_file_rules TO "
            + $"{Role(cluster)};",
            $"GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO {Role(cluster)};   -- in the database named in the connection string");

    private static bool IsRefusal(string because) =>
        because.StartsWith("42501", StringComparison.Ordinal) || because.StartsWith("role ", StringComparison.Ordinal);

    private static string Role(ClusterFacts cluster) =>
        cluster.Reached.Select(node => node.Server?.Role).FirstOrDefault(role => role is not null) is not { } role ? "ROLE"
        : PlainName().IsMatch(role) ? role : $"\"{role.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    [GeneratedRegex("^[a-z_][a-z0-9_]*$")]
    private static partial Regex PlainName();
}
