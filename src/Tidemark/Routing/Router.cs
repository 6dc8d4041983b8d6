namespace Tidemark;

/// <summary>
/// Decides which node runs a statement. The decision depends only on values: a snapshot, a requirement, the reads in flight and a seeded
/// random number generator. Does no I/O and allocates nothing.
/// </summary>
internal sealed class Router(RoutingRules rules, Balancer balancer)
{
    public RoutingRules Rules => rules;

    /// <param name="snapshot">The snapshot on which the decision is based.</param>
    /// <param name="requirement">The conditions that the node must meet.</param>
    /// <param name="readsInFlight">The number of reads in flight on each node, by index.</param>
    /// <param name="failed">One bit for each node that failed during this read.</param>
    /// <param name="preferred">The index of the node to stay on if it can serve, or -1.</param>
    /// <param name="affinity">
    /// The hash of the affinity key that picks among the nodes that can serve, or <see langword="null"/> if the balancer picks.
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

    /// <summary>Returns the reason why a node was rejected for the statement.</summary>
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
        return serves ? (stay.Index, RouteReason.StaysOnReplica) : ThePrimary(snapshot, failed, RouteReason.ObservedPositionUnknown);
    }

    private (int Index, RouteReason Reason) AReplica(
        ClusterSnapshot snapshot, in ReadRequirement requirement, ReadOnlySpan<int> readsInFlight, ulong failed, int preferred,
        ulong? affinity)
    {
        Span<Candidate> candidates = stackalloc Candidate[snapshot.Nodes.Length];

        // Nodes that are proven to have the position come first, because they need no check. Next are nodes that probably have it, which
        // are verified in the same round trip.
        for (var wanted = Verdict.Eligible; wanted <= Verdict.ToVerify; wanted++)
        {
            var count = Gather(candidates, snapshot, requirement, readsInFlight, failed, wanted, out var hasMoreToVerify);
            if (count == 0 && hasMoreToVerify) continue;
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

    /// <summary>
    /// Lists the nodes with this verdict, but only those in the same zone if there are any. Also returns whether any node has a later
    /// verdict.
    /// </summary>
    private int Gather(
        Span<Candidate> candidates, ClusterSnapshot snapshot, in ReadRequirement requirement, ReadOnlySpan<int> readsInFlight, ulong failed,
        Verdict wanted, out bool hasMoreToVerify)
    {
        var count = 0;
        hasMoreToVerify = false;
        var replicas = 0;
        var nearOnly = HasNearReplica(snapshot, requirement, failed, wanted);
        foreach (var node in snapshot.Nodes)
        {
            if (HasFailed(failed, node.Index) || (nearOnly && !rules.IsNear[node.Index])) continue;
            var isPrimary = node.Index == snapshot.PrimaryIndex;
            var verdict = isPrimary && rules.PrimaryReadWeight > 0 ? Verdict.Eligible : Evaluate(node, snapshot, requirement);
            hasMoreToVerify |= verdict > wanted;
            if (verdict != wanted) continue;

            if (!isPrimary) replicas++;
            var weight = isPrimary ? rules.PrimaryReadWeight : rules.Weights[node.Index];
            candidates[count++] = new Candidate(node.Index, weight, readsInFlight[node.Index]);
        }

        // If the primary is the only candidate, it does not serve as a share of reads but as the last resort, which has its own reason.
        return replicas == 0 ? 0 : count;
    }

    // A primary in the same zone does not count. Otherwise it would serve all reads, although its weight is only a share of them.
    private bool HasNearReplica(ClusterSnapshot snapshot, in ReadRequirement requirement, ulong failed, Verdict wanted)
    {
        foreach (var node in snapshot.Nodes)
            if (rules.IsNear[node.Index] && !HasFailed(failed, node.Index) && Evaluate(node, snapshot, requirement) == wanted) return true;
        return false;
    }

    /// <summary>Evaluates whether a node may serve a read as a replica.</summary>
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
    /// Returns whether the node's history includes the WAL position, or will include it. A standby on an abandoned timeline passes any LSN
    /// in time, so LSNs alone do not decide.
    /// </summary>
    /// <remarks>
    /// If a node does not show its timeline to this role, it is known to have reached the timeline of its minimum recovery point. It is
    /// trusted for the part that this timeline and the latest of the cluster have in common. A node that shows no timeline because it
    /// receives no WAL is trusted only if there has never been a promotion.
    /// </remarks>
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
        _ when !MayStay(node, requirement) => RejectionReason.ObservedElsewhere,
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
