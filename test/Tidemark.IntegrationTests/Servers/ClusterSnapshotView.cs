using Microsoft.EntityFrameworkCore;

namespace Tidemark;

/// <summary>The state of a data source's nodes, by name.</summary>
public sealed class ClusterSnapshotView(TidemarkDataSource source)
{
    private readonly IReadOnlyList<NodeStatus> _nodes = source.Nodes;

    public NodeStatus this[string name] => _nodes.Single(n => n.Name == name);

    public string? Primary => _nodes.SingleOrDefault(n => n is { Role: NodeRole.Primary, IsServing: true })?.Name;
}
