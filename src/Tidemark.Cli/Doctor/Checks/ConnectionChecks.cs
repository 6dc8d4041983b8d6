using System.Collections.Immutable;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Whether there are connections enough.</summary>
internal static class ConnectionChecks
{
    // Each node has a pool for reads and one for writes. The primary uses both; a replica the first, until it is promoted.
    private const int PoolsOfNode = 2;

    public static ImmutableArray<Check> All { get; } =
    [
        new("pool-exceeds-connections", Of.All, [Section.Settings], PoolExceedsConnections),
        new("connections-nearly-used", Of.All, [Section.Server, Section.Settings], ConnectionsNearlyUsed),
    ];

    private static IEnumerable<Finding> PoolExceedsConnections(ClusterFacts cluster) => Check.Where(
        cluster.Members, node => node.PoolSize * PoolsOfNode > node.OrdinaryConnections
            ? $"pools for reads and writes of {node.PoolSize} connections each; max_connections leaves {node.OrdinaryConnections} to ordinary roles" : null,
        cluster.Members.Any(node => node.PoolSize > node.OrdinaryConnections) ? Severity.Warning : Severity.Notice,
        "One process of the application can use up the server's connections; then it and everybody else is refused with 53300. Every "
            + "further process counts again.",
        "Set MaxPoolSize of the node (or Maximum Pool Size in its connection string) to what max_connections allows, divided by twice "
            + "the number of processes; or raise max_connections, on the standbys first; or put PgBouncer between.");

    private static IEnumerable<Finding> ConnectionsNearlyUsed(ClusterFacts cluster) => Check.Where(
        cluster.Members, node => 10 * node.Server?.Connections >= 9 * node.OrdinaryConnections
            ? $"{node.Server!.Connections} connections, max_connections leaves {node.OrdinaryConnections} to ordinary roles"
            : null, Severity.Warning,
        "The next ones are refused with 53300: reads move to other nodes, writes fail.",
        "SELECT application_name, usename, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 ORDER BY 4 DESC;",
            "Make the pools smaller, or raise max_connections on the standbys first.");
}
