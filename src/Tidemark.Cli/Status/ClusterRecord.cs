namespace Tidemark.Cli.Status;

/// <summary>The state of a cluster at one moment.</summary>
/// <param name="Source">Where the cluster was configured.</param>
/// <param name="Primary">The node that takes the writes; <c>null</c> if none was found.</param>
/// <param name="Nodes">All nodes.</param>
internal sealed record ClusterRecord(string Source, string? Primary, IReadOnlyList<NodeRecord> Nodes)
{
    /// <summary>Whether every node serves and one of them is the primary.</summary>
    public bool IsWell => Primary is not null && Nodes.All(node => node.IsServing);
}
