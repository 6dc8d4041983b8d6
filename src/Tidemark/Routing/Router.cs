namespace Tidemark;

/// <summary>
/// Decides which node takes a statement, from values alone: a snapshot, a requirement, the reads in flight and a seeded chance. Does no I/O
/// and
/// allocates nothing.
/// </summary>
internal sealed class Router(RoutingRules rules, Balancer balancer)
{
    public RoutingRules Rules => rules;

    /// <param name="snapshot">The one picture the decision rests on.</param>
    /// <param name="requirement">What the node must be or contain.</param>
    /// <param name="readsInFlight">The load of each node, by index.</param>
    /// <param name="failed">A bit for each node that failed during this very read.</param>
    /// <param name="preferred">The node to stay on when it can serve; -1: none.</param>
    /// <param name="affinity">
    /// The hash of the key that picks among those that can serve otherwise; <see langword="null"/>: the balancer picks.
    /// </param>
    public RouteDecision Decide(
        ClusterSnapshot snapshot, in ReadRequirement requirement, ReadOnlySpan<int> readsInFlight, ulong failed = 0, int preferred = -1,
            ulong? affinity = null)
    {
        var (index, reason) = requirement switch
        {
            { IsWrite: true } => ThePrimary(snapshot, failed, requirement.PrimaryBecause),
            { OnNode: not null } => TheNamedNode(snapshot, requirement, failed),
            { PrimaryBecause: not RouteReason.None } => ThePrimary(snapshot, failed, requirement.PrimaryBecause),
            { StayOn: { } stay } => TheSameNode(snapshot, requirement, stay, failed),
            _ => AReplica(snapshot, requirement, readsInFlight, failed, preferred, affinity),
        };
        return new RouteDecision(snapshot, requirement, rules, failed, index, reason);
    }

    /// <summary>Says why a node did not get the statement.</summary>
    internal static NodeRejection Reject(
        NodeState node, ClusterSnapshot snapshot, in ReadRequirement requirement, RoutingRules rules, ulong failed, int picked)
    {
        var reason = ReasonAgainst(node, snapshot, requirement, rules, failed, picked);
        return new NodeRejection(node.Name, reason, RouteText.Of(reason, node, snapshot, requirement));
    }

    private static (int Index, RouteReason Reason) ThePrimary(ClusterSnapshot snapshot, ulong failed, RouteReason because) =>
        snapshot.PrimaryIndex >= 0 && !HasFailed(failed, snapshot.PrimaryIndex)
            ? (snapshot.PrimaryIndex, because)
            : (-1, RouteReason.None);

    private static (int Index, RouteReason Reason) TheNamedNode(ClusterSnapshot snapshot, in ReadRequirement requirement, ulong failed)
    {
        foreach (var node in snapshot.Nodes)
        {
            if (!string.Equals(node.Name, requirement.OnNode, StringComparison.OrdinalIgnoreCase)) continue;
            var serves = node.Index == snapshot.PrimaryIndex
                || (requirement.PrimaryBecause == RouteReason.None && MayStay(node, requirement)
                    && Evaluate(node, snapshot, requirement) is Verdict.Eligible or Verdict.ToVerify);
            return serves && !HasFailed(failed, node.Index) ? (node.Index, RouteReason.NamedNode) : (-1, RouteReason.None);
        }

        return (-1, RouteReason.None);
    }

    private static (int Index, RouteReason Reason) TheSameNode(ClusterSnapshot snapshot, in ReadRequirement requirement, NodeEpoch stay,
        ulong failed)
    {
        var node = snapshot.Nodes[stay.Index];
        var serves = MayStay(node, requirement) && !HasFailed(failed, stay.Index)
            && Evaluate(node, snapshot, requirement) is Verdict.Eligible or Verdict.ToVerify;
        return serves ? (stay.Index, RouteReason.StaysOnReplica) : ThePrimary(snapshot, failed, RouteReason.SeenPositionUnknown);
    }

    private (int Index, RouteReason Reason) AReplica(
        ClusterSnapshot snapshot, in ReadRequirement requirement, ReadOnlySpan<int> readsInFlight, ulong failed, int preferred,
            ulong? affinity)
    {
        Span<Candidate> candidates = stackalloc Candidate[snapshot.Nodes.Length];

        // What is proven first, since it costs nothing; then what probably has it and proves so in the same round trip.
        for (var wanted = Verdict.Eligible; wanted <= Verdict.ToVerify; wanted++)
        {
            var count = Gather(candidates, snapshot, requirement, readsInFlight, failed, wanted, out var hasMoreToAsk);
            if (count == 0 && hasMoreToAsk) continue;
            if (count == 0) break;
            var index = Choose(candidates[..count], preferred, affinity);
            return (index, index == snapshot.PrimaryIndex ? RouteReason.PrimaryShare
                : wanted == Verdict.ToVerify ? RouteReason.ReplicaToVerify
                : requirement.MustInclude is null ? RouteReason.AnyReplica
                : RouteReason.ReplicaHasPosition);
        }

        return ThePrimary(snapshot, failed, RouteReason.NoReplicaCanServe);
    }

    private int Choose(ReadOnlySpan<Candidate> candidates, int preferred, ulong? affinity)
    {
        foreach (var candidate in candidates)
            if (candidate.Index == preferred) return preferred;
        return candidates[affinity is { } key ? Rendezvous.Pick(candidates, key, rules.Seeds) : balancer.Pick(candidates)].Index;
    }

    /// <summary>Lists the nodes with this verdict, only the near ones where there is one; and says whether any has the next.</summary>
    private int Gather(
        Span<Candidate> candidates, ClusterSnapshot snapshot, in ReadRequirement requirement, ReadOnlySpan<int> readsInFlight, ulong failed,
            Verdict wanted,
        out bool hasMoreToAsk)
    {
        var count = 0;
        hasMoreToAsk = false;
        var replicas = 0;
        var nearOnly = HasNearReplica(snapshot, requirement, failed, wanted);
        foreach (var node in snapshot.Nodes)
        {
            if (HasFailed(failed, node.Index) || (nearOnly && !rules.IsNear[node.Index])) continue;
            var isPrimary = node.Index == snapshot.PrimaryIndex;
            var verdict = isPrimary && rules.PrimaryReadWeight > 0 ? Verdict.Eligible : Evaluate(node, snapshot, requirement);
            hasMoreToAsk |= verdict > wanted;
            if (verdict != wanted) continue;

            if (!isPrimary) replicas++;
            var weight = isPrimary ? rules.PrimaryReadWeight : rules.Weights[node.Index];
            candidates[count++] = new Candidate(node.Index, weight, readsInFlight[node.Index]);
        }

        // The primary alone is no share of reads but the last resort, and has that name.
        return replicas == 0 ? 0 : count;
    }

    // A primary that stands near does not count: it would then serve all reads, and its share is a share of them.
    private bool HasNearReplica(ClusterSnapshot snapshot, in ReadRequirement requirement, ulong failed, Verdict wanted)
    {
        foreach (var node in snapshot.Nodes)
            if (rules.IsNear[node.Index] && !HasFailed(failed, node.Index) && Evaluate(node, snapshot, requirement) == wanted) return true;
        return false;
    }

    /// <summary>Says whether a node may serve a read as a replica.</summary>
    private static Verdict Evaluate(NodeState node, ClusterSnapshot snapshot, in ReadRequirement requirement)
    {
        if (node.Status != ConcludedStatus.Replica || IsTooStale(node, requirement)) return Verdict.Rejected;
        if (requirement.MustInclude is not { } position) return Verdict.Eligible;
        if (!Leads(node, snapshot, position)) return Verdict.Rejected;
        if (node.Lsn >= position.Lsn) return Verdict.Eligible;
        return node.KeepsUp ? Verdict.ToVerify : Verdict.Rejected;
    }

    private static bool MayStay(NodeState node, in ReadRequirement requirement) =>
        requirement.StayOn is not { } stay || stay.MayBe(node.Index, node.Epoch);

    private static bool IsTooStale(NodeState node, in ReadRequirement requirement) =>
        requirement.CompleteSince is { } since && !(node.CompleteAsOf >= since);

    /// <summary>
    /// The node's history leads through the place, or will. A standby left behind on a dead timeline passes any number in time. One whose
    /// timeline is hidden
    /// is known to have come to that of its minimum recovery point: it is trusted for what that one and the cluster's latest have in
    /// common. One that shows
    /// none because it receives nothing is believed only where nobody was ever promoted.
    /// </summary>
    internal static bool Leads(NodeState node, ClusterSnapshot snapshot, WalPosition position) =>
        node.Timeline == 0
            ? node.SeesTimeline
                ? snapshot.LatestTimeline <= 1 && position.Timeline <= 1
                : position.Timeline <= node.ProvenTimeline
                    && snapshot.Chain.Leads(position, Math.Max(node.ProvenTimeline, snapshot.LatestTimeline))
            : node.Timeline == position.Timeline || snapshot.Chain.Leads(position, node.Timeline);

    private static RejectionReason ReasonAgainst(
        NodeState node, ClusterSnapshot snapshot, in ReadRequirement requirement, RoutingRules rules, ulong failed, int picked) =>
            node.Status switch
    {
        ConcludedStatus.NotProbed => RejectionReason.NotProbed,
        ConcludedStatus.Unreachable => RejectionReason.Unreachable,
        ConcludedStatus.ForeignCluster => RejectionReason.ForeignCluster,
        ConcludedStatus.Aurora => RejectionReason.Aurora,
        ConcludedStatus.RivalPrimary => RejectionReason.RivalPrimary,
        ConcludedStatus.SupersededPrimary => RejectionReason.SupersededPrimary,
        ConcludedStatus.LeftBehind => RejectionReason.OtherTimeline,
        ConcludedStatus.Diverged => RejectionReason.Diverged,
        _ when HasFailed(failed, node.Index) => RejectionReason.FailedDuringRead,
        _ when requirement.OnNode is { } name && !string.Equals(node.Name, name, StringComparison.OrdinalIgnoreCase) =>
            RejectionReason.NotNamed,
        ConcludedStatus.Primary => rules.PrimaryReadWeight > 0 ? RejectionReason.NotPicked : RejectionReason.IsPrimary,
        _ when requirement.PrimaryBecause != RouteReason.None => RejectionReason.IsReplica,
        _ when IsTooStale(node, requirement) => RejectionReason.TooStale,
        _ when !MayStay(node, requirement) => RejectionReason.SeenElsewhere,
        _ when requirement.MustInclude is { } position && !Leads(node, snapshot, position) => RejectionReason.OtherTimeline,
        _ when requirement.MustInclude is { } position && node.Lsn < position.Lsn => RejectionReason.Behind,
        _ when picked >= 0 && rules.IsNear[picked] && !rules.IsNear[node.Index] => RejectionReason.OtherZone,
        _ => RejectionReason.NotPicked,
    };

    private static bool HasFailed(ulong failed, int index) => (failed & (1UL << index)) != 0;

    private enum Verdict
    {
        Rejected,
        Eligible,
        ToVerify,
    }
}
