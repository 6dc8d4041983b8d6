using System.Collections.Immutable;

namespace Tidemark.Cli.Doctor;

/// <summary>What all nodes said, and what follows from it about their roles. Everything that rules look at.</summary>
internal sealed record ClusterFacts(ImmutableArray<NodeFacts> Nodes, DoctorBounds Bounds)
{
    /// <summary>Nodes that answered.</summary>
    public IEnumerable<NodeFacts> Reached => Nodes.Where(node => node.Failure is null);

    /// <summary>The cluster that most nodes are of; the first node's where opinions are even. Null while no node says.</summary>
    public string? SystemIdentifier => Reached.Where(node => node.Identity is not null).GroupBy(node => node.Identity!.SystemIdentifier)
        .OrderByDescending(nodes => nodes.Count()).FirstOrDefault()?.Key;

    /// <summary>Nodes of that cluster; also those that did not say which they are of.</summary>
    public IEnumerable<NodeFacts> Members =>
        Reached.Where(node => node.Identity is null || node.Identity.SystemIdentifier == SystemIdentifier);

    /// <summary>Servers that say they are the primary, the latest timeline first.</summary>
    public IEnumerable<NodeFacts> Claimants =>
        Members.Where(node => node.IsReplica == false).DistinctBy(node => node.Server!.StartedAt)
        .OrderByDescending(node => node.Position?.Timeline);

    /// <summary>The primary: of several claimants the one on the latest timeline, if it alone is on it.</summary>
    public NodeFacts? Primary => Claimants.ToList() switch
    {
        [] => null,
        [var only] => only,
        [var first, var second, ..] => first.Position?.Timeline > second.Position?.Timeline ? first : null,
    };

    public IEnumerable<NodeFacts> Replicas => Members.Where(node => node.IsReplica == true);

    /// <summary>Whether more than one node is meant to take part.</summary>
    public bool IsReplicated => Nodes.Length > 1;

    /// <summary>Whether all nodes are on the machine that asks: a cluster to try things on.</summary>
    public bool IsOnOneMachine => Nodes.All(node => node.IsLoopback);
}
