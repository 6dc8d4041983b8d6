using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>Writes and observations whose position is not known yet: what they require, and what resolves them.</summary>
public sealed class PendingPositionsTests : SessionTestBase
{
    [Fact]
    public void A_pending_write_is_resolved_by_a_sample_taken_after_it()
    {
        Write(at: null);
        ShouldKeepToThePrimary();
        var mark = Pending.ShouldNotBeNull();

        Resolve(mark, Position(700));
        Session.Written.ShouldBe(Position(700));
        Pending.ShouldBeNull();
    }

    [Fact]
    public void A_sample_does_not_resolve_a_write_that_ended_after_its_mark()
    {
        Write(at: null);
        var mark = Pending!.Value;
        Write(at: null);

        Resolve(mark, Position(700));
        ShouldKeepToThePrimary();

        Resolve(Pending!.Value, Position(800));
        Session.Written.ShouldBe(Position(800));
    }

    [Fact]
    public void An_older_sample_that_arrives_late_has_no_effect()
    {
        Write(at: null);
        var first = Pending!.Value;
        Write(at: null);
        var second = Pending!.Value;

        Resolve(second, Position(800));
        Resolve(first, Position(700));

        Session.Written.ShouldBe(Position(800));
        Pending.ShouldBeNull();
    }

    [Fact]
    public void A_session_that_never_reads_keeps_few_entries_for_20000_writes()
    {
        var pending = new PendingPositions();
        var seen = new Watermark(isWritten: false);
        for (var i = 0; i < 20_200; i++)
        {
            pending.Add(new PendingWrite(1, 0, 0, IsInDoubt: false, Run(i), Backend: i));
            pending.Add(new PendingWrite(1, 0, 0, IsInDoubt: true, Run(1), Backend: 7 + (i % 2)));
            pending.Add(new PendingObservation(new NodeEpoch(0, Run(1)), 1, 0, OnPrimary: true, new object()));
            seen.Add(new KnownPosition(Position((ulong)i), 0));
        }

        pending.Count.ShouldBe(1 + 2 + 1);
        seen.Timelines.Count().ShouldBe(1);

        // The backends have exited, so one sample can resolve the rest.
        pending.Settle(Cluster.Primary!, [7, 8]);
        pending.Count.ShouldBe(1 + 1);
        pending.IsInDoubt.ShouldBeFalse();
    }

    [Fact]
    public void A_write_recorded_with_MarkWritten_is_pending()
    {
        Session.MarkWritten();
        ShouldKeepToThePrimary();

        Resolve(Pending!.Value, Position(700));
        Session.Written.ShouldBe(Position(700));
    }

    [Fact]
    public void A_write_in_doubt_keeps_reads_on_the_primary_despite_samples()
    {
        Write(Position(500));
        Session.BeginWrite();
        Session.EndWrite(On(1), at: null, isInDoubt: true);

        Pending.ShouldBeNull();
        Write(Position(900));
        ShouldKeepToThePrimary();
    }

    [Fact]
    public void A_session_that_read_on_one_replica_stays_there_without_a_sample()
    {
        var connection = new object();
        Write(Position(500));
        Session.Observe(Cluster.Nodes[1], onPrimary: false, at: null, connection);

        var require = Session.Require(Both);
        (require.StayOn, require.StayConnection, require.MustInclude, require.PrimaryBecause)
            .ShouldBe((new NodeEpoch(1, Run(1)), connection, Position(500), RouteReason.None));
        Needs(Cluster).ShouldBeNull();
        Session.Observed.ShouldBeNull();
    }

    [Fact]
    public void A_session_cannot_stay_on_a_node_that_restarted_or_is_unreachable()
    {
        Session.Observe(Cluster.Nodes[1], onPrimary: false);

        Session.Require(Both, mayStay: false).PrimaryBecause.ShouldBe(RouteReason.ObservedPositionUnknown);
        Needs(Cluster, mayStay: false).ShouldNotBeNull();
        Needs(Cluster.Then(1, Replica() with { Epoch = Run(2) })).ShouldNotBeNull();
        Needs(Cluster.Then(1, Silence)).ShouldNotBeNull();
        Needs(Cluster.Then(0, Silence).Then(1, Primary(timeline: 2))).ShouldNotBeNull();
    }

    [Fact]
    public void Reads_on_two_replicas_need_a_sample_and_are_both_bounded_by_its_flush_position()
    {
        Session.Observe(Cluster.Nodes[1], onPrimary: false);
        Session.Observe(Cluster.Nodes[2], onPrimary: false);
        Session.Require(Both).PrimaryBecause.ShouldBe(RouteReason.ObservedPositionUnknown);

        Resolve(Needs(Cluster)!.Value, flushed: 800, inserted: 900).ShouldBeNull();
        Session.Observed.ShouldBe(Position(800));
        Session.Require(Both).MustInclude.ShouldBe(Position(800));
        Needs(Cluster).ShouldBeNull();
    }

    [Fact]
    public void A_read_on_the_primary_is_bounded_by_the_insert_position()
    {
        // Asynchronous commits of others are visible there before they are flushed.
        Session.Observe(Cluster.Nodes[0], onPrimary: true);
        Session.Require(Both).PrimaryBecause.ShouldBe(RouteReason.ObservedPositionUnknown);

        Resolve(Needs(Cluster)!.Value, flushed: 800, inserted: 900);
        Session.Observed.ShouldBe(Position(900));
    }

    [Fact]
    public void A_sample_started_before_a_read_ended_does_not_bound_it()
    {
        Session.Observe(Cluster.Nodes[0], onPrimary: true);
        var mark = Needs(Cluster)!.Value;
        Session.Observe(Cluster.Nodes[0], onPrimary: true);
        Session.Observe(Cluster.Nodes[1], onPrimary: false);

        Resolve(mark, flushed: 800, inserted: 800);
        Session.Observed.ShouldBeNull();
        Session.Require(Both).PrimaryBecause.ShouldBe(RouteReason.ObservedPositionUnknown);
    }

    [Fact]
    public void The_observation_of_an_open_reader_stays_pending_after_a_sample()
    {
        Session.BeginObservation(Cluster.Nodes[1], onPrimary: false, connection: null).ShouldBeTrue();
        Session.Observe(Cluster.Nodes[0], onPrimary: true);
        Resolve(Needs(Cluster)!.Value, flushed: 800, inserted: 900);

        var open = Session.Require(Both);
        (open.StayOn, open.MustInclude).ShouldBe((new NodeEpoch(1, Run(1)), Position(900)), "only the same node may serve");
        Session.Require(Both, mayStay: false).PrimaryBecause.ShouldBe(RouteReason.ObservedPositionUnknown);
        Session.EndObservation(Cluster.Nodes[1], onPrimary: false);
        Session.Require(Both).StayOn.ShouldBe(new NodeEpoch(1, Run(1)), "its last rows are pending");

        Resolve(Needs(Cluster, mayStay: false)!.Value, flushed: 1000, inserted: 1000);
        Session.Observed.ShouldBe(Position(1000));
    }

    [Fact]
    public void Two_open_readers_on_one_node_end_when_the_last_is_closed()
    {
        Session.BeginObservation(Cluster.Nodes[1], onPrimary: false, connection: null);
        Session.BeginObservation(Cluster.Nodes[1], onPrimary: false, connection: null);
        Session.EndObservation(Cluster.Nodes[1], onPrimary: false);
        Resolve(Needs(Cluster, mayStay: false)!.Value, flushed: 800, inserted: 800);
        Session.Require(Both).StayOn.ShouldBe(new NodeEpoch(1, Run(1)));

        Session.EndObservation(Cluster.Nodes[1], onPrimary: false);
        Resolve(Needs(Cluster, mayStay: false)!.Value, flushed: 900, inserted: 900);
        Session.Observed.ShouldBe(Position(900));
    }

    [Fact]
    public void An_open_reader_on_a_promoted_replica_is_bounded_by_the_insert_position()
    {
        Session.BeginObservation(Cluster.Nodes[1], onPrimary: false, connection: null);
        var after = Cluster.Then(0, Silence).Then(1, Primary(300, timeline: 2) with { InsertLsn = At(400) });
        Session.Validate(after);
        Session.EndObservation(Cluster.Nodes[1], onPrimary: false);

        Session.Resolve(Needs(after, mayStay: false)!.Value, after.Primary!, after);
        Session.Observed.ShouldBe(Position(400, timeline: 2), "asynchronous commits of others are visible there before they are flushed");
    }

    [Fact]
    public void Two_open_readers_on_a_promoted_node_end_separately()
    {
        Session.BeginObservation(Cluster.Nodes[1], onPrimary: false, connection: null);
        Session.BeginObservation(Cluster.Nodes[1], onPrimary: true, connection: null);
        Session.EndObservation(Cluster.Nodes[1], onPrimary: true);
        Resolve(Needs(Cluster, mayStay: false)!.Value, flushed: 800, inserted: 800);

        Session.Require(Both).StayOn.ShouldBe(new NodeEpoch(1, Run(1)), "the reader that was opened on the replica is still open");
    }

    [Fact]
    public void An_open_transaction_is_settled_only_by_its_own_primary()
    {
        Session.BeginWrite();
        Session.EndWrite(Cluster.Nodes[0], at: null, isInDoubt: true, openTransaction: "740");
        Session.OpenTransactions(Cluster.Primary!).ShouldBe(["740"]);

        var promoted = Cluster.Then(0, Silence).Then(1, Primary(timeline: 2)).Primary!;
        Session.OpenTransactions(promoted).ShouldBeEmpty("another transaction may have that id there");
        Session.Settle(promoted, ended: ["740"]);
        Session.IsInDoubt.ShouldBeTrue();
        Session.Settle(Cluster.Primary!, ended: ["740"]);
        Session.OpenTransactions(Cluster.Primary!).ShouldBeEmpty();
    }

    [Fact]
    public void An_open_reader_on_the_primary_keeps_reads_there_without_a_sample()
    {
        Session.BeginObservation(Cluster.Nodes[0], onPrimary: true, connection: null);

        Session.Require(Both).PrimaryBecause.ShouldBe(RouteReason.ObservedPositionUnknown);
        Needs(Cluster).ShouldBeNull("no sample bounds what it returns next");
        Session.EndObservation(Cluster.Nodes[0], onPrimary: true);
        Needs(Cluster).ShouldNotBeNull();
    }

    [Fact]
    public void A_read_with_its_own_mark_is_bounded_by_a_sample_taken_after_it()
    {
        Session.BeginObservation(Cluster.Nodes[1], onPrimary: false, connection: null);
        var first = Session.NextMark();
        var sample = Session.NeedsSample(Both, Cluster, mayStay: false, first).ShouldNotBeNull();
        Resolve(sample, flushed: 800, inserted: 800);

        Session.Require(Both, mayStay: false, first).MustInclude.ShouldBe(Position(800));
        Session.NeedsSample(Both, Cluster, mayStay: false, first).ShouldBeNull();
        var second = Session.NextMark();
        Session.Require(Both, mayStay: false, second)
            .PrimaryBecause.ShouldBe(RouteReason.ObservedPositionUnknown, "more may have been returned since");
    }

    [Fact]
    public void An_open_reader_whose_timeline_ended_is_reported_once()
    {
        Session.BeginObservation(Cluster.Nodes[1], onPrimary: false, connection: null);
        var after = Cluster.Then(0, Silence).Then(2, Primary(timeline: 2));
        Session.Validate(after).ShouldNotBeNull();
        Session.EndObservation(Cluster.Nodes[1], onPrimary: false);
        Session.Validate(after).ShouldBeNull();
    }

    [Fact]
    public void One_sample_resolves_writes_and_observations()
    {
        Write(at: null);
        Session.Observe(Cluster.Nodes[0], onPrimary: true);
        Resolve(Needs(Cluster)!.Value, flushed: 800, inserted: 900);

        // It is not known whether the write waited for its flush, so the insert position bounds it.
        (Session.Written, Session.Observed).ShouldBe((Position(900), Position(900)));
    }

    [Fact]
    public void A_write_in_doubt_is_settled_by_a_restart_of_its_server()
    {
        var before = Of(Started(1), Replica(), Replica());
        Session.BeginWrite();
        Session.EndWrite(before.Nodes[0], at: null, isInDoubt: true);
        Needs(before).ShouldBeNull();
        Needs(before.Then(0, Silence)).ShouldBeNull("it may still be running and commit");

        var after = before.Then(0, Started(2));
        Session.Resolve(Needs(after).ShouldNotBeNull(), after.Primary!, after).ShouldBeNull("the commit was never acknowledged");
        Session.Written.ShouldBe(Position(100));
    }

    [Fact]
    public void A_write_in_doubt_is_settled_by_another_timeline_and_may_be_lost()
    {
        var before = Of(Started(1), Replica(), Replica());
        Session.BeginWrite();
        Session.EndWrite(before.Nodes[0], at: null, isInDoubt: true);

        var after = before.Then(0, Silence).Then(1, Primary(200, timeline: 2));
        Session.Resolve(Needs(after).ShouldNotBeNull(), after.Primary!, after).ShouldNotBeNull().IsCertain.ShouldBeFalse();
    }

    [Fact]
    public void The_first_probe_of_a_node_does_not_settle_an_earlier_write_in_doubt()
    {
        var before = Of(null, null);
        Session.BeginWrite();
        Session.EndWrite(before.Nodes[0], at: null, isInDoubt: true);

        var after = Of(Started(1), Replica());
        Needs(after).ShouldBeNull();
        Session.Resolve(long.MaxValue, after.Primary!, after);
        Session.Require(Both).PrimaryBecause.ShouldBe(RouteReason.WrittenPositionUnknown);
    }

    [Fact]
    public void A_session_continued_at_an_unknown_position_needs_one_sample_at_every_level()
    {
        Session.Resume(written: null, isUnknown: true);

        Session.Require(ConsistencyDemands.Written).PrimaryBecause.ShouldBe(RouteReason.WrittenPositionUnknown);
        Session.Require(ConsistencyDemands.Observed).PrimaryBecause.ShouldBe(RouteReason.ObservedPositionUnknown, "unknown is never fresh");
        Session.HasMoved.ShouldBeFalse();

        Resolve(Needs(Cluster)!.Value, flushed: 800, inserted: 900).ShouldBeNull();
        (Session.Written, Session.Observed).ShouldBe((Position(900), Position(900)));
    }
}
