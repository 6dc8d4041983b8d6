using System.Collections.Immutable;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Checks whether the objects of the database work on every node.</summary>
internal static class ObjectChecks
{
    private const int MaxNamed = 10;

    public static ImmutableArray<Check> All { get; } =
    [
        new("unlogged-tables", Of.Primary, [Section.UnloggedTables], UnloggedTables),
        new("enums-differ", Of.All, [Section.Enums], EnumsDiffer),
        new("extensions-differ", Of.All, [Section.Extensions], ExtensionsDiffer),
        new("extension-unavailable", Of.All, [Section.Extensions], ExtensionUnavailable),
    ];

    private static IEnumerable<Finding> UnloggedTables(ClusterFacts cluster) =>
        !cluster.IsReplicated || cluster.Primary is not { } primary ? [] : Check.Where(
        [primary], node => node.UnloggedTables is { Count: > 0 } tables ? Named(tables) : null, Severity.Notice,
        "They have no rows on a replica. Reads of them fail there with 0A000 and are retried on the primary, which costs a round trip "
            + "each time. After a failover or crash they are empty.",
        "ALTER TABLE … SET LOGGED;   -- or read them from the primary: ReadsFromPrimary() in the model");

    private static IEnumerable<Finding> EnumsDiffer(ClusterFacts cluster) => Differences(
        cluster, node => node.Enums?.ToDictionary(one => one.Name, one => $"oid {one.Oid}: {string.Join(", ", one.Labels)}"),
        "A node with other values or another oid rejects or misreads enum parameters, and Npgsql keeps the types that it loaded "
            + "first.",
        "Wait until the replica has replayed the change, then call ReloadTypesAsync() or restart the application.");

    private static IEnumerable<Finding> ExtensionsDiffer(ClusterFacts cluster) => Differences(
        cluster, node => node.Extensions?.ToDictionary(one => one.Name, one => one.Version),
        "Functions of the extension are missing or behave differently on some nodes, so results depend on the node that serves the read.",
        "Wait until the replica has replayed the change. If it does not, see the other findings about it.");

    private static IEnumerable<Finding> ExtensionUnavailable(ClusterFacts cluster) =>
    [
        .. Check.Where(
            cluster.Members, node => Extensions(node, one => !one.IsAvailable) is { Count: > 0 } missing
                ? $"{Named(missing)}: created in the database, but missing from pg_available_extensions" : null, Severity.Error,
            "The catalog was replicated, but the files are not installed. Functions of the extension written in C fail there with 58P01.",
            "Install the package of the extension on the machine, in the version of the primary. A restart is needed only if the "
                + "extension is in shared_preload_libraries."),

        // Packages do not contain the scripts of old versions, and a database that was never updated still works. Only a difference
        // between the machines is a finding.
        .. Check.Where(
            cluster.Replicas,
                node =>
                Extensions(node, one => one is { IsAvailable: true, IsInstallable: false }
                && cluster.Primary?.Extensions?.Contains(one with { IsInstallable = true }) == true) is { Count: > 0 } missing
                ? $"{Named(missing)}: missing from pg_available_extension_versions, but present on {cluster.Primary!.Name}"
                    : null, Severity.Warning,
            "The machine has the files of another version than the primary. Functions of the extension may fail there or behave "
                + "differently.",
            "Install the same version of the package as on the machine of the primary."),
    ];

    private static List<string>? Extensions(NodeFacts node, Func<Extension, bool> isHit) =>
        node.Extensions?.Where(isHit).Select(one => $"{one.Name} {one.Version}").ToList();

    private static IEnumerable<Finding> Differences(ClusterFacts cluster, Func<NodeFacts, Dictionary<string, string>?> things,
        string consequence, string remedy)
    {
        if (cluster.Primary is not { } primary || things(primary) is not { } wanted) return [];
        return Check.Where(
            cluster.Replicas, node => things(node) is { } there
                && wanted.Keys.Union(there.Keys).Order(StringComparer.Ordinal)
                    .Where(name => wanted.GetValueOrDefault(name) != there.GetValueOrDefault(name)).ToList() is { Count: > 0 } differing
                ? Named([.. differing.Select(name =>
                    $"{name} ({there.GetValueOrDefault(name, "missing")}; on {primary.Name} {wanted.GetValueOrDefault(name, "missing")})")])
                    : null, Severity.Warning,
            consequence, remedy);
    }

    private static string Named(IReadOnlyList<string> names) =>
        string.Join(", ", names.Take(MaxNamed)) + (names.Count > MaxNamed ? $" and {names.Count - MaxNamed} more" : "");
}
