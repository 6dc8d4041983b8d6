using System.Collections.Immutable;

namespace Tidemark;

/// <summary>An immutable view of all nodes at one moment. Routing decisions read nothing else.</summary>
internal sealed class ClusterSnapshot
{
    public required ImmutableArray<NodeState> Nodes { get; init; }

    /// <summary>Index of the node that accepts writes, or -1 if the cluster has no primary.</summary>
    public required int PrimaryIndex { get; init; }

    /// <summary>The system identifier of the cluster, or 0 until it has been determined.</summary>
    public required ulong SystemIdentifier { get; init; }

    /// <summary>The system identifier that the options require, or 0 if they do not set one.</summary>
    public ulong ExpectedIdentifier { get; init; }

    /// <summary>
    /// <see langword="true"/> if most of the configured nodes have responded with the system identifier, or the options set it. Otherwise
    /// the identifier is provisional.
    /// </summary>
    public bool IsIdentitySettled { get; init; }

    /// <summary>
    /// The system identifier of most configured nodes, if a different one had been adopted for the cluster before; otherwise 0.
    /// </summary>
    public ulong RivalIdentifier { get; init; }

    /// <summary>
    /// The latest timeline observed since the system identifier was determined. A primary on an earlier timeline never receives writes.
    /// </summary>
    public required uint LatestTimeline { get; init; }

    /// <summary>The positions of the primary over time, as observed by this process.</summary>
    public required PrimaryHistory History { get; init; }

    /// <summary>The forks and crashes that connect earlier timelines and epochs of the primary to the current ones.</summary>
    public required TimelineChain Chain { get; init; }

    /// <summary>
    /// The furthest position that a replica of the cluster was observed to have replayed on the latest timeline, in any epoch.
    /// </summary>
    public FurthestReplay Furthest { get; init; }

    public NodeState? Primary => PrimaryIndex < 0 ? null : Nodes[PrimaryIndex];

    /// <summary>
    /// <see langword="true"/> if every node has been probed at least once. A fact that is still missing is then missing, not merely late.
    /// </summary>
    public bool IsComplete
    {
        get
        {
            foreach (var node in Nodes)
                if (node.Status == ConcludedStatus.NotProbed) return false;
            return true;
        }
    }

    /// <summary>Returns the snapshot with a new state of one node. The status of the node is not evaluated again.</summary>
    public ClusterSnapshot With(NodeState node) => new()
    {
        Nodes = Nodes.SetItem(node.Index, node),
        PrimaryIndex = PrimaryIndex,
        SystemIdentifier = SystemIdentifier,
        ExpectedIdentifier = ExpectedIdentifier,
        IsIdentitySettled = IsIdentitySettled,
        RivalIdentifier = RivalIdentifier,
        LatestTimeline = LatestTimeline,
        History = History,
        Chain = Chain,
        Furthest = Furthest,
    };

    /// <param name="names">The names of the nodes.</param>
    /// <param name="systemIdentifier">The system identifier that the options require, or 0 if they do not set one.</param>
    public static ClusterSnapshot Unprobed(IReadOnlyList<string> names, ulong systemIdentifier = 0) => new()
    {
        Nodes = [.. names.Select((name, index) => new NodeState { Name = name, Index = index })],
        PrimaryIndex = -1,
        SystemIdentifier = systemIdentifier,
        ExpectedIdentifier = systemIdentifier,
        IsIdentitySettled = systemIdentifier != 0,
        LatestTimeline = 0,
        History = PrimaryHistory.Empty,
        Chain = TimelineChain.Empty,
    };
}
