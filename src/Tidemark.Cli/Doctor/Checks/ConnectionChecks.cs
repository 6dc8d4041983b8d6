using System.Collections.Immutable;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Checks whether the servers have enough connections.</summary>
internal static class ConnectionChecks
{
    // Each node has a pool for reads and one for writes. The primary uses both, a replica only the first until it is promoted.
    private const int PoolsOfNode = 2;

    public static ImmutableArray<Check> All { get; } =
    [
        new("pool-exceeds-connections", Of.All, [Section.Settings], PoolExceedsConnections),
        new("connections-nearly-used", Of.All, [Section.Server, Section.Settings], ConnectionsNearlyUsed),
    ];

    private static IEnumerable<Finding> PoolExceedsConnections(ClusterFacts cluster) => Check.Where(
        cluster.Members, node => node.PoolSize * PoolsOfNode > node.OrdinaryConnections
            ? $"two pools (reads and writes) of up to {node.PoolSize} connections each; max_connections leaves {node.OrdinaryConnections} "
                + $"to ordinary roles" : null,
        cluster.Members.Any(node => node.PoolSize > node.OrdinaryConnections) ? Severity.Warning : Severity.Notice,
        "One process of the application can use all connections of the server. All clients are then rejected with 53300. Each "
            + "further process adds the same number.",
        "Set MaxPoolSize of the node (or Maximum Pool Size in its connection string) to the connections that max_connections leaves, "
            + "divided by twice the number of processes. Or raise max_connections, on the standbys first. Or use PgBouncer.");

    private static IEnumerable<Finding> ConnectionsNearlyUsed(ClusterFacts cluster) => Check.Where(
        cluster.Members, node => 10 * node.Server?.Connections >= 9 * node.OrdinaryConnections
            ? $"{node.Server!.Connections} connections, max_connections leaves {node.OrdinaryConnections} to ordinary roles"
            : null, Severity.Warning,
        "Further connections are rejected with 53300: reads move to other nodes, writes fail.",
        "SELECT application_name, usename, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 ORDER BY 4 DESC;",
            "Reduce the pool sizes, or raise max_connections, on the standbys first.");
}
