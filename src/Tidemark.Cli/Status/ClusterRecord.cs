namespace Tidemark.Cli.Status;

/// <summary>A cluster at one moment.</summary>
/// <param name="Source">Where the cluster was found.</param>
/// <param name="Primary">The node that takes the writes; null when there is none.</param>
/// <param name="Nodes">All nodes.</param>
internal sealed record ClusterRecord(string Source, string? Primary, IReadOnlyList<NodeRecord> Nodes)
{
    /// <summary>Every node serves, and one of them is the primary.</summary>
    public bool IsWell => Primary is not null && Nodes.All(node => node.IsServing);
}
