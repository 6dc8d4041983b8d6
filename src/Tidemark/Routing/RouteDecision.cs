namespace Tidemark;

/// <summary>
/// The node that was chosen for a statement, why it was chosen, and why the other nodes were rejected. Logs, activities, exceptions and
/// <c>Explain</c> all use it. Its texts are created only on demand.
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

    /// <summary>
    /// The decision for a connection that does not belong to the cluster. No node was chosen, even if the connection leads to one of them.
    /// </summary>
    internal static RouteDecision OwnConnection { get; } = new(null!, default, null!, 0, -1, RouteReason.OwnConnection);

    /// <summary>
    /// The name of the node, or <see langword="null"/> if no node can run the statement or none was chosen
    /// (<see cref="RouteReason.OwnConnection"/>).
    /// </summary>
    public string? Node => HasNode ? _snapshot.Nodes[NodeIndex].Name : null;

    /// <summary>The role of the node at the time of the decision.</summary>
    public NodeRole Role => HasNode ? _snapshot.Nodes[NodeIndex].Role : NodeRole.Unknown;

    /// <summary>The reason why the node was chosen.</summary>
    public RouteReason Reason { get; }

    /// <summary>
    /// The maximum staleness of the node: it includes everything that was committed longer ago than this. Zero for the primary;
    /// <see langword="null"/> if the staleness is unknown. Calculated when this property is read, from the primary's WAL positions and the
    /// clock of this process.
    /// </summary>
    public TimeSpan? Staleness => _snapshot is null || NodeIndex < 0 ? null
        : Role == NodeRole.Primary ? TimeSpan.Zero
        : _snapshot.Nodes[NodeIndex].CompleteAsOf is { } asOf ? _rules.Time.GetElapsedTime(asOf)
        : null;

    /// <summary>
    /// The other nodes and the reason why each was rejected, in the order of the configuration. Each call creates a new list.
    /// </summary>
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

    /// <summary>Returns the same decision with another reason, if that becomes known after the decision.</summary>
    internal RouteDecision Because(RouteReason reason) => new(_snapshot, _requirement, _rules, _failed, NodeIndex, reason);

    /// <summary>Returns the same decision, but with the given nodes listed as failed.</summary>
    internal RouteDecision Among(ulong failed) => new(_snapshot, _requirement, _rules, failed, NodeIndex, Reason);

    /// <summary>The index of the node in the configuration, or -1 if no node was chosen.</summary>
    internal int NodeIndex { get; }

    internal bool IsReplica => HasNode && _snapshot.Nodes[NodeIndex].Status == ConcludedStatus.Replica;

    // The default value, in an exception that was created outside Tidemark, means that no decision was made.
    private bool HasNode => _snapshot is not null && NodeIndex >= 0;

    /// <summary>The snapshot on which the decision is based.</summary>
    internal ClusterSnapshot Snapshot => _snapshot;

    internal NodeState State => _snapshot.Nodes[NodeIndex];

    internal WalPosition? MustInclude => _requirement.MustInclude;

    /// <summary>
    /// The WAL position that a replica must have reached on a connection that may lead to a later epoch of its server. It is what the read
    /// must include. Under a staleness bound, it is also the position that made the node fresh enough. The position is on the node's own
    /// timeline, which is known to include both.
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

    /// <summary>
    /// <see langword="true"/> if the node was chosen because the session has read there. It may serve only as long as it is in the same
    /// epoch.
    /// </summary>
    internal bool Stays => IsReplica && _requirement.StayOn is not null;

    /// <summary>
    /// The epoch in which the session has read on the node, or <see langword="null"/> if it is unknown or the session has not read there.
    /// </summary>
    internal ServerEpoch? StayEpoch => _requirement.StayOn is { Epoch: { IsUnknown: false } epoch } ? epoch : null;

    internal object? StayConnection => _requirement.StayConnection;

    /// <summary>
    /// The decision in one line, such as <c>pg-2 (replica): it has replayed position 0/3000128, which the read must include</c>.
    /// </summary>
    public string Summary => Reason == RouteReason.OwnConnection ? RouteText.Of(Reason)
        : _snapshot is null ? "no decision"
        : NodeIndex < 0 ? $"no node: {_requirement}"
        : $"{Node} ({(Role == NodeRole.Primary ? "primary" : "replica")}): {RouteText.Of(Reason)}";

    /// <summary>Returns the summary, followed by a line for each rejected node.</summary>
    public override string ToString() => Summary + RejectedText;

    /// <summary><see langword="true"/> if only the primary can run the statement.</summary>
    internal bool NeedsPrimary => _requirement.IsWrite || _requirement.PrimaryBecause != RouteReason.None;

    /// <summary>The name of the requested node, or <see langword="null"/>.</summary>
    internal string? OnNode => _requirement.OnNode;

    internal string RequirementText => _requirement.ToString();

    /// <summary>A line for each rejected node, each preceded by a line break.</summary>
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

    /// <summary>Returns whether both are the same decision on the same snapshot.</summary>
    public static bool operator ==(RouteDecision left, RouteDecision right) => left.Equals(right);

    /// <summary>Returns whether the decisions or their snapshots differ.</summary>
    public static bool operator !=(RouteDecision left, RouteDecision right) => !left.Equals(right);
}
