using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Whether the role may see what Tidemark goes by.</summary>
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
        "Nobody can tell of which cluster the node is, so Tidemark's probe fails and nothing is sent there.",
        $"GRANT EXECUTE ON FUNCTION pg_control_system() TO {Role(cluster)};");

    // Docs: without it a replica left behind on a dead timeline cannot be told from one that keeps up.
    private static IEnumerable<Finding> TimelineHidden(ClusterFacts cluster) => !cluster.IsReplicated ? [] : Check.Where(
        cluster.Members, node => node.Server is { SeesStatistics: false } server
            ? $"role {server.Role} is no member of pg_read_all_stats" : null, Severity.Error,
        "The role does not see which timeline a replica follows: after a failover, a replica serves reads that need a new position only "
            + "when its control file shows the new timeline, and one that was left behind goes on serving the others. If the "
            + "application uses another role, check with that one.",
        $"GRANT pg_read_all_stats TO {Role(cluster)};");

    private static IEnumerable<Finding> PositionsHidden(ClusterFacts cluster) => Check.Where(
        cluster.Reached, node => node.Unseen.TryGetValue(Section.Position, out var because) && IsRefusal(because)
            ? $"positions: {because}" : null, Severity.Error,
        "How far the node is cannot be told: reads that must include something go to the primary.",
        $"GRANT EXECUTE ON FUNCTION pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn(), pg_last_wal_replay_lsn() TO {Role(cluster)};");

    private static IEnumerable<Finding> RoleSeesTooLittle(ClusterFacts cluster) => Check.Where(
        cluster.Reached, node => node.Unseen.Where(one => one.Key is not (Section.Identity or Section.Position) && IsRefusal(one.Value))
            .Select(one => Questions.Source(one.Key)).Order(StringComparer.Ordinal).ToList() is { Count: > 0 } hidden
            ? $"role {node.Server?.Role} does not see {string.Join(", ", hidden)}" : null, Severity.Notice,
        "This check-up is incomplete: what could not be checked is listed at its end.",
        "Run it as a superuser, or:", $"GRANT pg_monitor TO {Role(cluster)};", $"GRANT SELECT ON pg_hba_file_rules TO {Role(cluster)};",
            $"GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO {Role(cluster)};   -- in the database named in the connection string");

    private static bool IsRefusal(string because) =>
        because.StartsWith("42501", StringComparison.Ordinal) || because.StartsWith("role ", StringComparison.Ordinal);

    private static string Role(ClusterFacts cluster) =>
        cluster.Reached.Select(node => node.Server?.Role).FirstOrDefault(role => role is not null) is not { } role ? "ROLE"
        : PlainName().IsMatch(role) ? role : $"\"{role.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    [GeneratedRegex("^[a-z_][a-z0-9_]*$")]
    private static partial Regex PlainName();
}
