using BenchmarkDotNet.Attributes;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>Measures a routing decision on a warm snapshot of five nodes. Target: less than 100 ns, no allocation.</summary>
[MemoryDiagnoser]
#pragma warning disable CA1001 // The session holds no resources to release.
public class DecisionBenchmarks
#pragma warning restore CA1001
{
    private readonly int[] _readsInFlight = [0, 3, 1, 2, 5];
    private readonly Router _router = new(
        new RoutingRules([1, 1, 1, 1, 1], [false, false, false, false, false], PrimaryReadWeight: 0),
        Balancer.For(BalancingPolicy.PowerOfTwoChoices, new Chance(1)));

    private readonly ClusterSnapshot _snapshot = Snapshot();
    private readonly ConsistencySession _session = new();

    private readonly ReadRequirement _proven = new() { MustInclude = new WalPosition(1, new NpgsqlLogSequenceNumber(900)) };
    private readonly ReadRequirement _lacking = new() { MustInclude = new WalPosition(1, new NpgsqlLogSequenceNumber(5000)) };

    /// <summary>Gives the session a write, so that its WAL position is part of every requirement.</summary>
    [GlobalSetup]
    public void Write() => _session.Resume(new WalPosition(1, new NpgsqlLogSequenceNumber(900)));

    /// <summary>Decides a read that any replica can serve.</summary>
    [Benchmark(Baseline = true)]
    public bool Eventual() => _router.Decide(_snapshot, default, _readsInFlight).IsReplica;

    /// <summary>Decides a read with a required WAL position that every replica has.</summary>
    [Benchmark]
    public bool WithAPositionThatReplicasHave() => _router.Decide(_snapshot, _proven, _readsInFlight).IsReplica;

    /// <summary>Decides a read with a required WAL position that no replica has, so that it goes to the primary.</summary>
    [Benchmark]
    public bool WithAPositionThatNoReplicaHas() => _router.Decide(_snapshot, _lacking, _readsInFlight).IsReplica;

    /// <summary>
    /// Derives the requirement from a session and decides: everything that a routed read adds before it opens a connection.
    /// </summary>
    [Benchmark]
    public bool FromASession() => _router.Decide(_snapshot, _session.Require(Consistency.Session.Demands), _readsInFlight).IsReplica;

    private static ClusterSnapshot Snapshot()
    {
        var snapshot = ClusterSnapshot.Unprobed(["pg-1", "pg-2", "pg-3", "pg-4", "pg-5"]);
        for (var index = 0; index < 5; index++)
        {
            var answer = new ProbeAnswer
            {
                Epoch = new ServerEpoch(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch),
                IsInRecovery = index > 0,
                SystemIdentifier = 7,
                Timeline = 1,
                Lsn = new NpgsqlLogSequenceNumber(1000),
            };
            snapshot = SnapshotRules.After(snapshot, index, answer, probeNumber: index + 1, sentAt: index, TimeSpan.TicksPerSecond);
        }

        return snapshot;
    }
}
