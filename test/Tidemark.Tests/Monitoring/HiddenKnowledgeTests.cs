using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>Tests for roles with restricted privileges, and for nodes whose reported state is misleading.</summary>
public sealed class HiddenKnowledgeTests
{
    private static readonly ClusterSnapshot Promoted = Of(
        Silence,
        Primary(300, timeline: 2) with { Forks = [new Fork(1, 2, At(150), At(150))] },
        Hides(Replica(400), least: 1));

    [Theory]
    [InlineData(100, 1, true)]
    [InlineData(150, 1, true)]
    [InlineData(151, 1, false)]
    [InlineData(200, 2, false)]
    public void After_a_promotion_a_node_with_hidden_timeline_serves_up_to_the_fork(ulong position, uint timeline, bool leads) =>
        Router.Leads(Promoted.Nodes[2], Promoted, Position(position, timeline)).ShouldBe(leads);

    [Fact]
    public void It_is_trusted_on_the_new_timeline_once_its_control_file_shows_it()
    {
        var shown = Promoted.Then(2, Hides(Replica(400), least: 2));

        Router.Leads(shown.Nodes[2], shown, Position(200, 2)).ShouldBeTrue();
        Router.Leads(shown.Nodes[2], shown, Position(150)).ShouldBeTrue();
        Router.Leads(shown.Nodes[2], shown, Position(151)).ShouldBeFalse();
    }

    [Fact]
    public void Before_any_promotion_it_is_trusted() =>
        Router.Leads(Of(Primary(), Hides(Replica(), least: 0)).Nodes[1], Of(Primary(), Hides(Replica(), least: 0)), Position(50))
        .ShouldBeTrue();

    [Fact]
    public void A_control_file_reveals_a_promotion_before_the_new_primary_does() =>
        Of(Primary(200), Hides(Replica(150), least: 2)).Primary.ShouldBeNull();

    [Fact]
    public void Loss_of_a_read_on_a_node_with_hidden_timeline_is_reported()
    {
        using var session = new ConsistencySession();
        var before = Of(Primary(200), Hides(Replica(200), least: 1), Replica(150));
        session.Observe(before.Nodes[1], onPrimary: false);

        session.Validate(before).ShouldBeNull();
        session.Validate(before.Then(0, Silence).Then(1, Silence).Then(2, Primary(210, timeline: 2))).ShouldNotBeNull()
            .WasWritten.ShouldBeFalse();
    }

    [Fact]
    public void A_replica_ahead_of_a_later_primary_sample_has_diverged_for_its_epoch()
    {
        var ahead = Of(Primary(100), Replica(100)).Then(1, Replica(130), sentAt: 10, receivedAt: 20);

        ahead.Then(0, Primary(120), sentAt: 19).Statuses()[1].ShouldBe(ConcludedStatus.Replica, "the primary was asked before");
        var refused = ahead.Then(0, Primary(120), sentAt: 20);
        refused.Statuses().ShouldBe([ConcludedStatus.Primary, ConcludedStatus.Diverged]);
        StatusText.Of(refused.Nodes[1], refused).ShouldContain("Rebuild it");
        refused.Then(0, Primary(500), sentAt: 30).Then(1, Replica(400), sentAt: 40)
            .Statuses()[1].ShouldBe(ConcludedStatus.Diverged, "later WAL passes the position");
        refused.Then(1, Replica(100) with { Epoch = Run(2) }, sentAt: 40).Then(0, Primary(500), sentAt: 50)
            .Statuses()[1].ShouldBe(ConcludedStatus.Replica, "another epoch, compared again");
    }

    [Fact]
    public void A_replica_on_another_timeline_or_within_what_was_inserted_has_not_diverged()
    {
        Of(Primary(100), Replica(130)).Then(0, Primary(120) with { InsertLsn = At(130) }, sentAt: 20)
            .Statuses()[1].ShouldBe(ConcludedStatus.Replica);
        Of(Primary(100, timeline: 2), Replica(130)).Then(0, Primary(120, timeline: 2), sentAt: 20)
            .Statuses()[1].ShouldNotBe(ConcludedStatus.Diverged);
    }

    [Fact]
    public void A_contradicting_majority_refuses_all_nodes_of_a_provisional_identity()
    {
        var first = Of(Primary(identifier: Theirs), Silence, Silence);
        (first.PrimaryIndex, first.SystemIdentifier).ShouldBe((0, Theirs));

        var after = first.Then(1, Primary()).Then(2, Replica());
        after.Statuses().ShouldBe([ConcludedStatus.ForeignCluster, ConcludedStatus.ForeignCluster, ConcludedStatus.ForeignCluster]);
        (after.PrimaryIndex, after.RivalIdentifier).ShouldBe((-1, Ours));
        StatusText.Of(after.Nodes[0], after).ShouldContain("SystemIdentifier");
        after.Then(0, Silence).PrimaryIndex.ShouldBe(-1, "it is unknown which cluster received the writes");
    }

    [Fact]
    public void An_identity_that_most_nodes_have_answered_with_stays()
    {
        var settled = Of(Primary(), Replica(), Silence).Then(1, Replica(identifier: Theirs)).Then(2, Replica(identifier: Theirs));

        settled.PrimaryIndex.ShouldBe(0);
        settled.RivalIdentifier.ShouldBe(0ul);
    }

    [Fact]
    public void With_the_setting_a_node_of_another_identity_is_refused_from_the_start()
    {
        var snapshot = ClusterSnapshot.Unprobed(["pg-1", "pg-2"], Ours).Then(0, Primary(identifier: Theirs));

        snapshot.PrimaryIndex.ShouldBe(-1);
        StatusText.Of(snapshot.Nodes[0], snapshot).ShouldBe(
            $"has the system identifier {Theirs}, but the setting SystemIdentifier requires {Ours}. Correct the setting or the node's "
                + "address");
        snapshot.Then(1, Primary()).PrimaryIndex.ShouldBe(1);
    }

    [Fact]
    public void Hidden_positions_are_never_taken_for_positions()
    {
        var hidden = Primary(0) with { HidesPositions = true };
        var snapshot = Of(hidden, Replica(100) with { HidesPositions = true, Lsn = default });

        snapshot.Statuses().ShouldBe([ConcludedStatus.Primary, ConcludedStatus.Replica]);
        snapshot.History.Count.ShouldBe(0);
        new ReadOf(Include: 1).Decide(snapshot).Reason.ShouldBe(RouteReason.NoReplicaCanServe);
        new ReadOf(CompleteSince: 0).Decide(snapshot).Reason.ShouldBe(RouteReason.NoReplicaCanServe);
        Of(hidden, Replica(100)).Then(0, hidden, sentAt: 20).Statuses()[1].ShouldBe(ConcludedStatus.Replica);
    }

    [Fact]
    public void A_crash_or_restart_settles_a_write_in_doubt_but_a_statistics_reset_does_not()
    {
        var before = Of(Primary() with { Connection = 7 }, Replica());
        var write = new PendingWrite(1, 0, 0, IsInDoubt: true, Run(1), Backend: 0);

        write.IsOpen(before).ShouldBeTrue();
        write.IsOpen(before.Then(0, Primary() with { Epoch = Run(1).Reset(), Connection = 8 })).ShouldBeFalse();
        write.IsOpen(before.Then(0, Primary() with { Epoch = Run(1).Restarted(), Connection = 8 })).ShouldBeFalse();
        write.IsOpen(before.Then(0, Primary() with { Epoch = Run(1).Reset(), Connection = 7 })).ShouldBeTrue("the backend may live on");
    }

    [Theory]
    [InlineData(5, false)]
    [InlineData(6, true)]
    public void A_write_in_doubt_on_an_unverified_connection_is_settled_by_its_backend(long openedAt, bool isOpen)
    {
        var before = Of(Primary(), Replica()).Then(0, Primary(), probeNumber: 5);
        var write = new PendingWrite(1, 0, 0, IsInDoubt: true, Run(1), Backend: 42) { ProbesSent = openedAt };

        write.IsOpen(before.Then(0, Primary() with { Epoch = Run(2) }, probeNumber: 6)).ShouldBe(isOpen);
    }

    private static ProbeAnswer Hides(ProbeAnswer answer, uint least) =>
        answer with { Timeline = 0, SeesTimeline = false, LeastTimeline = least };
}
