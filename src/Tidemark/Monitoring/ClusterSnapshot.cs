using System.Collections.Immutable;

namespace Tidemark;

/// <summary>An immutable picture of all nodes at one moment: the only thing a routing decision reads.</summary>
internal sealed class ClusterSnapshot
{
    public required ImmutableArray<NodeState> Nodes { get; init; }

    /// <summary>Index of the one node that takes the writes; -1 when there is none.</summary>
    public required int PrimaryIndex { get; init; }

    /// <summary>Zero until the cluster's identity has been found.</summary>
    public required ulong SystemIdentifier { get; init; }

    /// <summary>The identity that the options ask for; zero: they name none.</summary>
    public ulong ExpectedIdentifier { get; init; }

    /// <summary>
    /// Most of the configured nodes have answered with the identity, or the options name it. Until then it is provisional.
    /// </summary>
    public bool IsIdentitySettled { get; init; }

    /// <summary>
    /// Most of the configured nodes turned out to be of this cluster after another identity had been taken for the cluster's; zero: none.
    /// </summary>
    public ulong RivalIdentifier { get; init; }

    /// <summary>The latest timeline seen since the cluster's identity was found: a primary of an earlier one is never written to.</summary>
    public required uint LatestTimeline { get; init; }

    /// <summary>Where the primary was and when, as far as this process has seen it.</summary>
    public required PrimaryHistory History { get; init; }

    /// <summary>How earlier timelines, and earlier lives of the primary, lead to the current one.</summary>
    public required TimelineChain Chain { get; init; }

    /// <summary>The furthest that a replica of the cluster was seen to have replayed on the latest timeline, in whatever epoch.</summary>
    public FurthestReplay Furthest { get; init; }

    public NodeState? Primary => PrimaryIndex < 0 ? null : Nodes[PrimaryIndex];

    /// <summary>Every node has been asked at least once: what is missing now is missing, not merely late.</summary>
    public bool IsComplete
    {
        get
        {
            foreach (var node in Nodes)
                if (node.Status == ConcludedStatus.NotProbed) return false;
            return true;
        }
    }

    /// <summary>The snapshot with another state of one node, whose standing stays as it is.</summary>
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

    /// <param name="names">The nodes.</param>
    /// <param name="systemIdentifier">The identity that the options ask for; zero: none.</param>
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
