namespace Tidemark;

/// <summary>
/// Where a statement goes, why, and why not elsewhere. The same object stands behind log, span, exception and <c>Explain</c>; its texts are
/// made only when they are asked for.
/// </summary>
public readonly struct RouteDecision : IEquatable<RouteDecision>
{
    private readonly ClusterSnapshot _snapshot;
    private readonly ReadRequirement _requirement;
    private readonly RoutingRules _rules;
    private readonly ulong _failed;

    internal RouteDecision(
        ClusterSnapshot snapshot, in ReadRequirement requirement, RoutingRules rules, ulong failed, int nodeIndex, RouteReason reason)
    {
        _snapshot = snapshot;
        _requirement = requirement;
        _rules = rules;
        _failed = failed;
        NodeIndex = nodeIndex;
        Reason = reason;
    }

    /// <summary>A connection that is none of the cluster's decides: none of the nodes was chosen, whether or not it leads to one.</summary>
    internal static RouteDecision OwnConnection { get; } = new(null!, default, null!, 0, -1, RouteReason.OwnConnection);

    /// <summary>
    /// The name of the node; <see langword="null"/> when no node can take the statement, or none was chosen
    /// (<see cref="RouteReason.OwnConnection"/>).
    /// </summary>
    public string? Node => HasNode ? _snapshot.Nodes[NodeIndex].Name : null;

    /// <summary>What the node was at that moment.</summary>
    public NodeRole Role => HasNode ? _snapshot.Nodes[NodeIndex].Role : NodeRole.Unknown;

    /// <summary>Why this node.</summary>
    public RouteReason Reason { get; }

    /// <summary>
    /// How old what this node shows may be at most: nothing that was committed longer ago than this is missing there. Zero on the primary;
    /// <see langword="null"/> when it is not known. Measured from the moment it is read, by the primary's positions and this process's own
    /// clock.
    /// </summary>
    public TimeSpan? Staleness => _snapshot is null || NodeIndex < 0 ? null
        : Role == NodeRole.Primary ? TimeSpan.Zero
        : _snapshot.Nodes[NodeIndex].CompleteAsOf is { } asOf ? _rules.Time.GetElapsedTime(asOf)
        : null;

    /// <summary>Every other node with its reason, in the order of the configuration. Built at each call.</summary>
    public IReadOnlyList<NodeRejection> Rejected
    {
        get
        {
            var rejections = new List<NodeRejection>();
            foreach (var node in _snapshot?.Nodes ?? [])
            {
                if (node.Index != NodeIndex) rejections.Add(Router.Reject(node, _snapshot!, _requirement, _rules, _failed, NodeIndex));
            }

            return rejections;
        }
    }

    /// <summary>The same choice for a reason that was not known when it was made.</summary>
    internal RouteDecision Because(RouteReason reason) => new(_snapshot, _requirement, _rules, _failed, NodeIndex, reason);

    /// <summary>The same choice, told without the nodes that were asked in vain as if they had failed.</summary>
    internal RouteDecision Among(ulong failed) => new(_snapshot, _requirement, _rules, failed, NodeIndex, Reason);

    /// <summary>Index of the node in the configuration; -1: none.</summary>
    internal int NodeIndex { get; }

    internal bool IsReplica => HasNode && _snapshot.Nodes[NodeIndex].Status == ConcludedStatus.Replica;

    // The default value, in an exception that somebody else made, stands for no decision at all.
    private bool HasNode => _snapshot is not null && NodeIndex >= 0;

    /// <summary>What it was decided on.</summary>
    internal ClusterSnapshot Snapshot => _snapshot;

    internal NodeState State => _snapshot.Nodes[NodeIndex];

    internal WalPosition? MustInclude => _requirement.MustInclude;

    /// <summary>
    /// What a replica must show on a connection that may lead to a later life of its server: what the read must include, and under a bound
    /// of
    /// staleness what made the node fresh enough. On the node's own timeline, which was found to lead through both.
    /// </summary>
    internal WalPosition? MustShow
    {
        get
        {
            if (!IsReplica) return null;
            var must = _requirement.MustInclude;
            var lsn = _requirement.CompleteSince is null || must?.Lsn >= State.Lsn ? must?.Lsn : State.Lsn;
            return lsn is { } p ? new WalPosition(State.ProvenTimeline, p) : null;
        }
    }

    /// <summary>The node serves since the session has read there, and only as long as it is in the same life.</summary>
    internal bool Stays => IsReplica && _requirement.StayOn is not null;

    /// <summary>The epoch in which the session has read there; <see langword="null"/>: it is not known, or the session has not.</summary>
    internal ServerEpoch? StayEpoch => _requirement.StayOn is { Epoch: { IsUnknown: false } epoch } ? epoch : null;

    internal object? StayConnection => _requirement.StayConnection;

    /// <summary>
    /// The choice in one line, such as <c>pg-2 (replica): it has replayed position 0/3000128, which the read must include</c>.
    /// </summary>
    public string Summary => Reason == RouteReason.OwnConnection ? RouteText.Of(Reason)
        : _snapshot is null ? "no decision"
        : NodeIndex < 0 ? $"no node: {_requirement}"
        : $"{Node} ({(Role == NodeRole.Primary ? "primary" : "replica")}): {RouteText.Of(Reason)}";

    /// <summary>The summary, and a line for each rejected node.</summary>
    public override string ToString() => Summary + RejectedText;

    /// <summary>Only the primary would have done.</summary>
    internal bool NeedsPrimary => _requirement.IsWrite || _requirement.PrimaryBecause != RouteReason.None;

    /// <summary>The node that was asked for by name.</summary>
    internal string? OnNode => _requirement.OnNode;

    internal string RequirementText => _requirement.ToString();

    /// <summary>A line for each rejected node, each with a line break before it.</summary>
    internal string RejectedText
    {
        get
        {
            var rejected = Rejected;
            var width = rejected.Count == 0 ? 0 : rejected.Max(r => r.Node.Length);
            return string.Concat(rejected.Select(r => $"\n  {r.Node.PadRight(width)}  {r.Detail}"));
        }
    }

    /// <inheritdoc/>
    public bool Equals(RouteDecision other) =>
        ReferenceEquals(_snapshot, other._snapshot) && NodeIndex == other.NodeIndex && Reason == other.Reason
        && _requirement == other._requirement && _failed == other._failed;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is RouteDecision other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(NodeIndex, Reason, _requirement);

    /// <summary>Whether both are the same choice made on the same snapshot.</summary>
    public static bool operator ==(RouteDecision left, RouteDecision right) => left.Equals(right);

    /// <summary>Whether they differ in choice or snapshot.</summary>
    public static bool operator !=(RouteDecision left, RouteDecision right) => !left.Equals(right);
}
