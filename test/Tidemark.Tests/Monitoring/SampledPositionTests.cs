using Tidemark.Testing;
using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>Tests that positions observed in traffic update the snapshot.</summary>
public sealed class SampledPositionTests
{
    private static readonly ClusterSnapshot Cluster = Of(Primary(200), Replica(100), Replica(100));

    [Fact]
    public void A_read_check_advances_the_position_of_its_replica()
    {
        var after = With(Shown(150));

        after.Nodes[1].Lsn.ShouldBe(At(150));
        After(Shown(150)).ShouldBeFalse("there is nothing to ask");
        With(Shown(90)).Nodes[1].Lsn.ShouldBe(At(100));
    }

    [Fact]
    public void A_write_advances_the_primary_as_of_the_time_before_it_was_sent()
    {
        var sample = new SampledPosition(Run(1), Ours, IsInRecovery: false, 1, At(300), At(310), SentAt: 5_000);
        var after = SnapshotRules.With(Cluster, 0, sample, 9, receivedAt: 9_000, TimeSpan.TicksPerSecond, out _);

        (after.Primary!.Lsn, after.Primary.InsertLsn).ShouldBe((At(300), At(310)));
        after.Then(1, Replica(300), sentAt: 10_000).Nodes[1].CompleteAsOf.ShouldBe(5_000);
    }

    [Fact]
    public void A_sample_of_another_epoch_changes_nothing_and_requests_one_probe()
    {
        var foreign = Shown(150) with { Epoch = Run(2) };
        var after = SnapshotRules.With(Cluster, 1, foreign, 9, 0, TimeSpan.TicksPerSecond, out var isNews);

        (after.Nodes[1].Lsn, isNews).ShouldBe((At(100), true));
        SnapshotRules.With(after, 1, foreign, 9, 0, TimeSpan.TicksPerSecond, out isNews);
        isNews.ShouldBeFalse();
    }

    [Fact]
    public void A_sample_of_another_role_or_timeline_only_requests_a_probe()
    {
        After(Shown(150) with { IsInRecovery = false }).ShouldBeTrue();
        After(Shown(150) with { Timeline = 2 }).ShouldBeTrue();
        With(Shown(150) with { Timeline = 2 }).Nodes[1].Lsn.ShouldBe(At(100));
    }

    [Fact]
    public void An_earlier_probe_does_not_undo_a_later_position_from_traffic()
    {
        var after = With(Shown(150) with { SentAt = 500 });

        after.Then(1, Replica(120), sentAt: 400).Nodes[1].Lsn.ShouldBe(At(150));
        after.Then(1, Replica(50) with { Epoch = Run(2) }, sentAt: 400).Nodes[1].Lsn.ShouldBe(At(50), "another epoch");
    }

    [Fact]
    public void Two_simultaneous_epochs_are_several_servers()
    {
        var noted = SnapshotRules.With(Cluster, 1, Shown(150) with { Epoch = Run(2) }, probesSent: 9, 0, TimeSpan.TicksPerSecond, out _);

        noted.Nodes[1].HasSeveralServers.ShouldBeFalse("the server may have restarted");
        noted.Then(1, Replica(), probeNumber: 9).Nodes[1].HasSeveralServers.ShouldBeFalse("the probe was sent before");
        noted.Then(1, Replica(), probeNumber: 10).Nodes[1].HasSeveralServers.ShouldBeTrue();
        noted.Then(1, Replica() with { Epoch = Run(2) }, probeNumber: 10).Nodes[1].HasSeveralServers.ShouldBeFalse();
    }

    [Fact]
    public void An_epoch_that_returns_is_of_another_server()
    {
        var left = Cluster.Then(1, Replica() with { Epoch = Run(2) }, probeNumber: 10);

        left.Nodes[1].HasSeveralServers.ShouldBeFalse();
        left.Then(1, Replica(), probeNumber: 11).Nodes[1].HasSeveralServers.ShouldBeTrue();
        SnapshotRules.With(left, 1, Shown(150) with { SentAt = 1 }, 10, 1, TimeSpan.TicksPerSecond, out _)
            .Nodes[1].HasSeveralServers.ShouldBeTrue("it is alive");
    }

    [Fact]
    public void A_name_that_resolves_to_two_clusters_is_excluded()
    {
        var noted = SnapshotRules.With(
            Cluster, 1, Shown(150) with { Epoch = Run(2), SystemIdentifier = Theirs }, probesSent: 9, 0, TimeSpan.TicksPerSecond, out _);
        var after = noted.Then(1, Replica(), probeNumber: 10);

        after.Statuses().ShouldBe([ConcludedStatus.Primary, ConcludedStatus.ForeignCluster, ConcludedStatus.Replica]);
        StatusText.Of(after.Nodes[1], after).ShouldContain("two clusters");
    }

    [Fact]
    public void A_name_remembers_its_latest_sixteen_other_epochs()
    {
        var snapshot = Cluster;
        for (var run = 2; run <= 20; run++)
            snapshot = SnapshotRules.With(snapshot, 1, Shown(150) with { Epoch = Run(run) }, probesSent: 9, 0, TimeSpan.TicksPerSecond,
                out _);

        snapshot.Nodes[1].Others.Select(other => other.Epoch).ShouldBe(Enumerable.Range(5, 16).Select(Run));
        snapshot.Nodes[1].HasShown(Run(20)).ShouldBeTrue();
        snapshot.Nodes[1].HasShown(Run(4)).ShouldBeFalse("it is forgotten");
        snapshot.Nodes[1].HasShown(Run(1)).ShouldBeFalse("it is the present one");
    }

    [Fact]
    public async Task The_monitor_adds_positions_from_traffic_to_its_snapshot()
    {
        var time = new VirtualTime();
        var builder = new TidemarkDataSourceBuilder
        {
            TimeProvider = time, Resumption = TaskCreationOptions.None,
                ProbeNodes = (index, _) => Task.FromResult(index == 0 ? Primary(200) : Replica(100)),
        };
        await using var source = builder.AddNode("pg-1", "Host=none.invalid").AddNode("pg-2", "Host=none.invalid").Build();
        await source.Cluster.Monitor.FirstRoundAsync(TestContext.Current.CancellationToken);
        var asked = source.Cluster.Monitor.ProbesSent;

        source.Cluster.Monitor.Note(1, Shown(150));
        time.Advance(TimeSpan.FromMilliseconds(5));
        source.Cluster.Monitor.Snapshot.Nodes[1].Lsn.ShouldBe(At(150));
        source.Cluster.Monitor.ProbesSent.ShouldBe(asked);

        source.Cluster.Monitor.Note(1, Shown(160));
        source.Cluster.Monitor.Note(1, Shown(170));
        source.Cluster.Monitor.Snapshot.Nodes[1].Lsn.ShouldBe(At(150), "snapshots are not made more often than every few milliseconds");
        time.Advance(TimeSpan.FromMilliseconds(6));
        source.Cluster.Monitor.Snapshot.Nodes[1].Lsn.ShouldBe(At(170), "the latest wins");

        source.Cluster.Monitor.Note(1, Shown(180) with { Epoch = Run(2) });
        time.Advance(TimeSpan.FromMilliseconds(6));
        source.Cluster.Monitor.ProbesSent.ShouldBeGreaterThan(asked);
    }

    private static SampledPosition Shown(ulong position) => new(Run(1), Ours, IsInRecovery: true, 1, At(position), default, SentAt: 0);

    private static ClusterSnapshot With(SampledPosition sample) =>
        SnapshotRules.With(Cluster, 1, sample, 9, 0, TimeSpan.TicksPerSecond, out _);

    private static bool After(SampledPosition sample)
    {
        SnapshotRules.With(Cluster, 1, sample, 9, 0, TimeSpan.TicksPerSecond, out var isNews);
        return isNews;
    }
}
