using Tidemark.Testing;
using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>A decision reports the maximum staleness of its node.</summary>
public sealed class StalenessOfADecisionTests
{
    private readonly VirtualTime _time = new();

    [Fact]
    public void The_staleness_of_a_replica_is_the_age_of_the_sample_it_has_reached()
    {
        _time.Advance(TimeSpan.FromSeconds(10));
        var sampledAt = _time.GetTimestamp();
        var snapshot = Of(Primary(), Silence);
        snapshot = SnapshotRules.After(snapshot, 0, Primary(900), probeNumber: 2, sampledAt, _time.TimestampFrequency);
        snapshot = SnapshotRules.After(snapshot, 1, Replica(900), probeNumber: 3, sampledAt, _time.TimestampFrequency);
        _time.Advance(TimeSpan.FromSeconds(2));

        Decide(snapshot, default).Staleness.ShouldBe(TimeSpan.FromSeconds(2));
        _time.Advance(TimeSpan.FromSeconds(1));
        Decide(snapshot, default).Staleness.ShouldBe(TimeSpan.FromSeconds(3));
    }

    [Fact]
    public void The_primary_is_never_stale_and_a_replica_without_a_sample_has_no_bound()
    {
        Decide(Of(Primary(900), Replica(100)), ReadRequirement.Primary(RouteReason.StrongConsistency)).Staleness.ShouldBe(TimeSpan.Zero);
        Decide(Of(Primary(900), Replica(100)), default).Staleness.ShouldBeNull();
        default(RouteDecision).Staleness.ShouldBeNull();
    }

    private RouteDecision Decide(ClusterSnapshot snapshot, in ReadRequirement requirement)
    {
        var rules = new RoutingRules([1, 1], [false, false], PrimaryReadWeight: 0) { Time = _time };
        return new Router(rules, Balancer.For(BalancingPolicy.Random, new Chance(1))).Decide(snapshot, requirement, [0, 0]);
    }
}
