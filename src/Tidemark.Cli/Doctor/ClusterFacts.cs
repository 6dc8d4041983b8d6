using System.Collections.Immutable;

namespace Tidemark.Cli.Doctor;

/// <summary>What all nodes reported, and the roles that follow from it. The only input of the checks.</summary>
internal sealed record ClusterFacts(ImmutableArray<NodeFacts> Nodes, DoctorBounds Bounds)
{
    /// <summary>Nodes that responded.</summary>
    public IEnumerable<NodeFacts> Reached => Nodes.Where(node => node.Failure is null);

    /// <summary>The cluster that most nodes belong to; in a tie, the first node's. Returns <c>null</c> if no node reported it.</summary>
    public string? SystemIdentifier => Reached.Where(node => node.Identity is not null).GroupBy(node => node.Identity!.SystemIdentifier)
        .OrderByDescending(nodes => nodes.Count()).FirstOrDefault()?.Key;

    /// <summary>Nodes of that cluster, including those that did not report their cluster.</summary>
    public IEnumerable<NodeFacts> Members =>
        Reached.Where(node => node.Identity is null || node.Identity.SystemIdentifier == SystemIdentifier);

    /// <summary>Servers that report the role of primary, the latest timeline first.</summary>
    public IEnumerable<NodeFacts> Claimants =>
        Members.Where(node => node.IsReplica == false).DistinctBy(node => node.Server!.StartedAt)
        .OrderByDescending(node => node.Position?.Timeline);

    /// <summary>The primary. Of several candidates, the one on the latest timeline, or <c>null</c> if two are on it.</summary>
    public NodeFacts? Primary => Claimants.ToList() switch
    {
        [] => null,
        [var only] => only,
        [var first, var second, ..] => first.Position?.Timeline > second.Position?.Timeline ? first : null,
    };

    public IEnumerable<NodeFacts> Replicas => Members.Where(node => node.IsReplica == true);

    /// <summary>Whether more than one node is configured.</summary>
    public bool IsReplicated => Nodes.Length > 1;

    /// <summary>Whether all nodes run on this machine, as in a cluster for tests.</summary>
    public bool IsOnOneMachine => Nodes.All(node => node.IsLoopback);
}
