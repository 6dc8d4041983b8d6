using System.Collections.Immutable;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Checks whether the nodes respond, and whether they are distinct servers of one cluster and version.</summary>
internal static class ReachChecks
{
    public static ImmutableArray<Check> All { get; } =
    [
        new("node-unreachable", Of.All, [], NodeUnreachable),
        new("same-server", Of.All, [Section.Server, Section.Identity], SameServer),
        new("several-servers", Of.All, [Section.Server, Section.Identity], SeveralServers),
        new("other-cluster", Of.All, [Section.Identity], OtherCluster),
        new("versions-differ", Of.All, [Section.Server], VersionsDiffer),
    ];

    private static IEnumerable<Finding> NodeUnreachable(ClusterFacts cluster) =>
        cluster.Nodes.Where(node => node.Failure is not null).Select(node => new Finding(
        Severity.Error, [node.Name], [$"{node.Name}: {node.Failure!.Reason}"],
        "It serves nothing. Reads go to the other nodes; if it is the primary, writes fail. It was not checked further.",
            [node.Failure.Remedy]));

    // Two servers do not start in the same microsecond.
    private static IEnumerable<Finding> SameServer(ClusterFacts cluster) =>
        cluster.Reached.Where(node => node.Server is not null && node.Identity is not null)
        .GroupBy(node => (node.Server!.StartedAt, node.Identity!.SystemIdentifier)).Where(nodes => nodes.Count() > 1)
            .SelectMany(nodes => Check.Where(
            nodes, node => $"system identifier {node.Identity!.SystemIdentifier}, started at {node.Server!.StartedAt}", Severity.Error,
            "Several node names lead to the same server, so there are fewer servers than nodes. If it is the primary, Tidemark rejects it, "
                + "because two nodes report the role of primary on one timeline.",
            "Give each node the address of one server, not of a load balancer or a virtual address."));

    private static IEnumerable<Finding> SeveralServers(ClusterFacts cluster)
    {
        static IEnumerable<NamedServer> Behind(NodeFacts node) => node is { Behind: { } behind, Server: { } server, Identity: { } identity }
            ? behind.Prepend(new NamedServer(server.StartedAt, identity.SystemIdentifier)).Distinct() : [];
        var isForeign = cluster.Reached.Any(node => Behind(node).DistinctBy(server => server.SystemIdentifier).Skip(1).Any());
        return Check.Where(
            cluster.Reached,
            node => Behind(node).ToList() is { Count: > 1 } servers
                ? string.Join("; ", servers.Select(server => $"system identifier {server.SystemIdentifier}, started at {server.StartedAt}"))
                    : null,
            Severity.Error,
            isForeign
                ? "One node name leads to servers of several clusters, so reads and writes go to a random one. Tidemark rejects the node "
                    + "once it detects this."
                : "One node name leads to several servers, such as a load balancer or a Kubernetes service. A probe describes only one of "
                    + "them, so Tidemark verifies every read and sends many reads to the primary that a replica could serve.",
            "Configure one node per server, with the address of that server (in Kubernetes: the pods of a headless service).");
    }

    private static IEnumerable<Finding> OtherCluster(ClusterFacts cluster) => Check.Where(
        cluster.Reached.Except(cluster.Members),
            node => $"system identifier {node.Identity!.SystemIdentifier}, the other nodes have {cluster.SystemIdentifier}", Severity.Error,
        "It has different data and can never replay the WAL of the primary. Tidemark rejects it.",
        "Correct its connection string, or rebuild it as a standby: pg_basebackup -R -X stream -C -S SLOT -h PRIMARY -D DATA");

    private static IEnumerable<Finding> VersionsDiffer(ClusterFacts cluster)
    {
        var nodes = cluster.Reached.Where(node => node.Server is not null).ToList();
        if (nodes.DistinctBy(node => node.Server!.Version).Count() < 2) return [];
        var isMajor = nodes.DistinctBy(node => node.Server!.Major).Count() > 1;
        return Check.Where(
            nodes, node => $"PostgreSQL {node.Server!.Version}", isMajor ? Severity.Error : Severity.Notice,
            isMajor ? "A server cannot replay the WAL of another major version. Plans and functions differ between the nodes."
                : "Normal during an upgrade. Otherwise the nodes have different bugs.",
            isMajor ? "Upgrade the older nodes with pg_upgrade, and rebuild the standbys."
                : "Upgrade the older nodes, the standbys first.");
    }
}
