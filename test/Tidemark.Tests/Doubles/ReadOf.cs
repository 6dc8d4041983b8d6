using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>
/// What a read asks for, and by which rules; near and failed nodes as bits by index; -1: no node to stay on, no bound of staleness.
/// </summary>
public sealed record ReadOf(
    ulong Include = 0, RouteReason Because = RouteReason.None, string? OnNode = null, ulong Failed = 0, ulong Near = 0,
    double PrimaryWeight = 0, double Weight = 1, uint Timeline = 1, int StayOn = -1, int StayEpoch = 1, long CompleteSince = -1)
{
    internal RouteDecision Decide(ClusterSnapshot snapshot) =>
        Router(snapshot.Nodes.Length).Decide(snapshot, Requirement, new int[snapshot.Nodes.Length], Failed);

    internal Router Router(int nodes, BalancingPolicy policy = BalancingPolicy.PowerOfTwoChoices) => new(
        new RoutingRules(
            [.. Enumerable.Repeat(Weight, nodes)],
            [.. Enumerable.Range(0, nodes).Select(index => (Near & (1UL << index)) != 0)],
            PrimaryWeight),
        Balancer.For(policy, new Chance(42)));

    private ReadRequirement Requirement => ReadRequirement.Primary(Because) with
    {
        OnNode = OnNode,
        MustInclude = Include == 0 ? null : Position(Include, Timeline),
        StayOn = StayOn < 0 ? null : new NodeEpoch(StayOn, Run(StayEpoch)),
        CompleteSince = CompleteSince < 0 ? null : CompleteSince,
        MaxStaleness = CompleteSince < 0 ? null : TimeSpan.FromSeconds(1),
    };
}
