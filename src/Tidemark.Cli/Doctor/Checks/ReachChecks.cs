using System.Collections.Immutable;

namespace Tidemark.Cli.Doctor.Checks;

/// <summary>Whether nodes answer, and are of one kind.</summary>
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
        "It serves nothing: reads go to the other nodes, and if it is the primary, writes fail. Nothing else could be checked on it.",
            [node.Failure.Remedy]));

    // Two servers do not start in the same microsecond.
    private static IEnumerable<Finding> SameServer(ClusterFacts cluster) =>
        cluster.Reached.Where(node => node.Server is not null && node.Identity is not null)
        .GroupBy(node => (node.Server!.StartedAt, node.Identity!.SystemIdentifier)).Where(nodes => nodes.Count() > 1)
            .SelectMany(nodes => Check.Where(
            nodes, node => $"system identifier {node.Identity!.SystemIdentifier}, started at {node.Server!.StartedAt}", Severity.Error,
            "Several names lead to one server: there are fewer nodes than it looks, and as a primary it is refused, for it claims its "
                + "timeline twice.",
            "Give each node the address of one server, and not of a balancer or a virtual address."));

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
                ? "One name leads to servers of several clusters: what is read and written depends on chance. Tidemark refuses such a "
                    + "node once it has noticed."
                : "One name leads to several servers, as that of a balancer or a Kubernetes service does: what a probe finds is true of "
                    + "one of them. Tidemark checks every read there, and sends many to the primary that a replica could serve.",
            "Give each server a node of its own, with its own address (in Kubernetes: the pods of a headless service).");
    }

    private static IEnumerable<Finding> OtherCluster(ClusterFacts cluster) => Check.Where(
        cluster.Reached.Except(cluster.Members),
            node => $"system identifier {node.Identity!.SystemIdentifier}, the others have {cluster.SystemIdentifier}", Severity.Error,
        "It holds other data and can never replay what the primary writes. Tidemark refuses it.",
        "Correct its connection string, or make it anew as a standby: pg_basebackup -R -X stream -C -S SLOT -h PRIMARY -D DATA");

    private static IEnumerable<Finding> VersionsDiffer(ClusterFacts cluster)
    {
        var nodes = cluster.Reached.Where(node => node.Server is not null).ToList();
        if (nodes.DistinctBy(node => node.Server!.Version).Count() < 2) return [];
        var isMajor = nodes.DistinctBy(node => node.Server!.Major).Count() > 1;
        return Check.Where(
            nodes, node => $"PostgreSQL {node.Server!.Version}", isMajor ? Severity.Error : Severity.Notice,
            isMajor ? "WAL of one major version cannot be replayed by another; plans and functions differ between the nodes."
                : "Fine while an upgrade is under way. Afterwards the nodes have different defects.",
            isMajor ? "Upgrade the older nodes with pg_upgrade, and make the standbys anew."
                : "Upgrade the older nodes, the standbys first.");
    }
}
