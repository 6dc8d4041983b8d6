using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>Positions of a session that were lost, or may have been: which loss is reported, and which position replaces them.</summary>
public sealed class LostPositionsTests : SessionTestBase
{
    [Fact]
    public void A_pending_write_may_be_lost_if_the_sample_is_of_another_timeline()
    {
        Write(at: null, timeline: 1);
        var lost = Resolve(Pending!.Value, Position(9_000, timeline: 2)).ShouldNotBeNull();

        (lost.IsCertain, lost.WasWritten, lost.Position).ShouldBe((false, true, null));
        lost.ToString().ShouldBe("What this session wrote may have been lost: the history continued from timeline 1 to 2 before the "
            + "position was known.");
        Session.Written.ShouldBe(Position(9_000, timeline: 2), "the current position includes everything that survived");
        Pending.ShouldBeNull();
    }

    [Fact]
    public void A_write_that_ended_on_the_old_timeline_may_be_lost_despite_a_later_write()
    {
        // The old primary is isolated, not down: its open connection ends only after a write to the new primary.
        Session.BeginWrite();
        Write(Position(500, timeline: 2), timeline: 2);
        End(at: null, timeline: 1);

        Resolve(Pending!.Value, Position(9_000, timeline: 2)).ShouldNotBeNull().IsCertain.ShouldBeFalse();
    }

    [Fact]
    public void A_known_write_on_an_earlier_timeline_does_not_affect_later_ones()
    {
        Write(Position(500, timeline: 1), timeline: 1);
        Write(at: null, timeline: 2);
        Resolve(Pending!.Value, Position(700, timeline: 2));

        Session.Written.ShouldBe(Position(700, timeline: 2));
    }

    [Fact]
    public void An_observation_on_a_replica_may_be_lost_with_its_timeline()
    {
        Session.Observe(Cluster.Nodes[1], onPrimary: false);
        var lost = Resolve(Needs(Cluster.Then(1, Silence))!.Value, Position(900, timeline: 2)).ShouldNotBeNull();

        (lost.WasWritten, lost.IsCertain).ShouldBe((false, false));
        lost.ToString().ShouldStartWith("What this session read may have been lost: the history continued from timeline 1 to 2");
    }

    [Fact]
    public void A_pending_write_may_be_lost_in_a_crash_on_its_own_timeline()
    {
        Write(at: null);
        var crashed = Crashed();
        var lost = Session.Resolve(Needs(crashed)!.Value, crashed.Primary!, crashed).ShouldNotBeNull();

        (lost.WasWritten, lost.IsCertain).ShouldBe((true, false));
        lost.ToString().ShouldBe("What this session wrote may have been lost: the primary may have crashed before the position was "
            + "known.");
        Session.Validate(crashed).ShouldBeNull("once");
    }

    [Fact]
    public void A_crash_may_lose_what_was_read_on_the_primary_but_not_on_a_replica()
    {
        var crashed = Crashed();
        Session.Observe(Cluster.Nodes[1], onPrimary: false);
        Session.Resolve(Needs(crashed, mayStay: false)!.Value, crashed.Primary!, crashed).ShouldBeNull("replicas receive flushed WAL only");

        Session.Observe(Cluster.Nodes[0], onPrimary: true);
        Session.Resolve(Needs(crashed)!.Value, crashed.Primary!, crashed).ShouldNotBeNull().WasWritten.ShouldBeFalse();
    }

    [Fact]
    public void A_position_that_may_have_survived_a_crash_never_moves_back()
    {
        // Another process wrote it after the crash. This process has sampled only what was flushed by then.
        var crashed = Cluster.Then(0, Primary(105) with { Epoch = Run(2), InsertLsn = At(120) });
        Session.Resume(Position(115));

        Session.Validate(crashed).ShouldNotBeNull().IsCertain.ShouldBeFalse();
        Session.Written.ShouldBe(Position(115));
    }

    [Theory]
    [InlineData(150, null)]
    [InlineData(180, false)]
    [InlineData(211, true)]
    public void A_known_write_is_compared_with_the_fork(ulong position, bool? isLostForCertain)
    {
        Write(Position(position));
        var after = Promoted();

        var lost = Session.Validate(after);
        lost?.IsCertain.ShouldBe(isLostForCertain!.Value);
        (lost is null).ShouldBe(isLostForCertain is null);
        if (lost is null) return;

        (lost.Position, lost.WasWritten).ShouldBe((Position(position), true));
        lost.Reason.ShouldBe("timeline 2 forked from it between 0/96 and 0/D2");
        Session.Written.ShouldBe(Position(210, timeline: 2), "the current position");
        Session.Validate(after).ShouldBeNull("once");
        Session.HasMoved.ShouldBeTrue("its token must be replaced");
    }

    [Fact]
    public void Losing_a_position_from_another_process_moves_the_session()
    {
        Session.Resume(Position(211));
        Session.HasMoved.ShouldBeFalse();
        Session.Validate(Promoted()).ShouldNotBeNull();
        Session.HasMoved.ShouldBeTrue();
    }

    [Fact]
    public void A_write_after_a_crash_does_not_hide_a_write_lost_in_the_crash()
    {
        Write(Position(150));
        var crashed = Crashed();
        Session.BeginWrite();
        Session.EndWrite(crashed.Primary!, new KnownPosition(Position(130), crashed.Primary!.PrimaryEpoch));

        Session.Validate(crashed).ShouldNotBeNull().ShouldSatisfyAllConditions(
            lost => lost.IsCertain.ShouldBeTrue(), lost => lost.Position.ShouldBe(Position(150)));
        Session.Written.ShouldBe(Position(130));
    }

    [Fact]
    public void Without_a_primary_a_crash_loses_a_write_and_may_lose_an_observation()
    {
        var away = Crashed().Then(0, Silence);
        using var observed = new ConsistencySession();
        Write(Position(150));
        observed.Observe(On(1), onPrimary: true, new KnownPosition(Position(150), 0));

        Session.Validate(away).ShouldNotBeNull().IsCertain.ShouldBeTrue();
        observed.Validate(away).ShouldNotBeNull().IsCertain.ShouldBeFalse("its position is only an upper bound of what was read");
    }

    [Fact]
    public void A_lost_write_becomes_the_flush_position_and_a_lost_read_the_insert_position()
    {
        var crashed = Cluster.Then(0, Primary(105) with { Epoch = Run(2), InsertLsn = At(120) });
        Write(Position(150));
        Session.Observe(On(1), onPrimary: true, new KnownPosition(Position(150), 0));

        Session.Validate(crashed).ShouldNotBeNull();
        (Session.Written, Session.Observed).ShouldBe((Position(105), Position(120)));
    }

    [Fact]
    public void A_position_on_an_earlier_timeline_is_compared_with_history_only()
    {
        Session.Resume(Position(500));
        var primary = Promoted().Primary!;

        Session.NeedsVerification(primary).ShouldBeFalse();
        Session.Verify(primary).ShouldBeNull("its LSN has another meaning on the later timeline");
        Session.Validate(Promoted()).ShouldNotBeNull().IsCertain.ShouldBeTrue();
    }

    [Fact]
    public void A_certain_loss_is_reported_before_a_possible_one()
    {
        Write(Position(300));
        Session.Observe(On(1), onPrimary: true, new KnownPosition(Position(300), 0));

        Session.Validate(Promoted()).ShouldNotBeNull().IsCertain.ShouldBeTrue();
        (Session.Written, Session.Observed).ShouldBe((Position(210, timeline: 2), Position(210, timeline: 2)));
    }

    [Fact]
    public void Positions_of_two_timelines_are_kept_until_compared_with_history()
    {
        Write(Position(211));
        Write(Position(230, timeline: 2), timeline: 2);
        Session.Written.ShouldBe(Position(230, timeline: 2));

        Session.Validate(Promoted()).ShouldNotBeNull("the first is lost, despite the later write").Position.ShouldBe(Position(211));
        Session.Written.ShouldBe(Position(230, timeline: 2));
    }

    [Fact]
    public void A_token_of_two_timelines_is_unknown_unless_the_latest_includes_the_other()
    {
        Write(Position(160));
        Write(Position(230, timeline: 2), timeline: 2);
        Session.Observe(On(1), onPrimary: true, new KnownPosition(Position(160), 0));
        Session.Observe(On(2), onPrimary: true, new KnownPosition(Position(230, timeline: 2), 0));
        var silent = Promoted().Then(1, Silence);
        Session.Validate(silent).ShouldBeNull("without a primary the current history is not known");

        var unknown = Session.Capture(Both, silent.Chain);
        (unknown.Written, unknown.Observed, unknown.Unknown).ShouldBe((null, null, new UnknownPosition(1)));
        var contained = TimelineChain.Empty.With([new Fork(1, 2, At(160), At(160))]);
        Session.Capture(Both, contained)
            .ShouldBe(new CapturedWatermarks(Position(230, timeline: 2), Position(230, timeline: 2), null, IsInDoubt: false));
    }

    [Fact]
    public void Without_a_primary_no_replica_serves_a_session_with_two_timelines()
    {
        var silent = Promoted().Then(1, Silence);
        Write(Position(160));
        Write(Position(230, timeline: 2), timeline: 2);
        Session.Observe(On(1), onPrimary: true, new KnownPosition(Position(160), 0));
        Session.Observe(On(2), onPrimary: true, new KnownPosition(Position(230, timeline: 2), 0));

        Session.Require(ConsistencyDemands.Written, chain: silent.Chain).PrimaryBecause.ShouldBe(RouteReason.WrittenPositionUnknown);
        Session.Require(ConsistencyDemands.Observed, chain: silent.Chain).PrimaryBecause.ShouldBe(RouteReason.ObservedPositionUnknown);
        var contained = TimelineChain.Empty.With([new Fork(1, 2, At(160), At(160))]);
        Session.Require(ConsistencyDemands.Written, chain: contained).MustInclude.ShouldBe(Position(230, timeline: 2));
        Session.Require(ConsistencyDemands.Observed, chain: contained).MustInclude.ShouldBe(Position(230, timeline: 2));
    }

    [Fact]
    public void A_read_requires_positions_of_two_timelines_only_if_the_later_includes_both()
    {
        Write(Position(160));
        Session.Observe(On(2), onPrimary: true, new KnownPosition(Position(230, timeline: 2), 0));

        Session.Require(Both, chain: Promoted().Chain).PrimaryBecause.ShouldBe(RouteReason.ObservedPositionUnknown);
        Session.Require(ConsistencyDemands.Written, chain: Promoted().Chain).MustInclude.ShouldBe(Position(160));
    }

    [Fact]
    public void A_loss_in_a_crash_is_reported_while_the_primary_is_unreachable_again()
    {
        Write(Position(130));
        Session.Observe(Cluster.Nodes[0], onPrimary: true, new KnownPosition(Position(110), 0));
        var away = Crashed().Then(0, Silence);

        var lost = Session.Validate(away).ShouldNotBeNull();

        (lost.IsCertain, lost.WasWritten, lost.Position).ShouldBe((true, true, Position(130)));
        Session.Validate(away).ShouldBeNull("once");
        ShouldKeepToThePrimary();
        Session.Require(ConsistencyDemands.Observed)
            .PrimaryBecause.ShouldBe(RouteReason.ObservedPositionUnknown, "later WAL passes the position on every replica");
        Session.HasMoved.ShouldBeTrue();
    }

    [Fact]
    public void A_read_on_a_replica_that_has_diverged_is_reported_once()
    {
        var start = Of(Primary(100), Replica(100), Replica(100));
        Session.Observe(start.Nodes[1], onPrimary: false);
        Session.Validate(start).ShouldBeNull();
        var found = start.Then(1, Replica(300), sentAt: 5, receivedAt: 6).Then(0, Primary(120), sentAt: 10, receivedAt: 11);
        found.Nodes[1].Status.ShouldBe(ConcludedStatus.Diverged);

        var lost = Session.Validate(found).ShouldNotBeNull();

        lost.ToString().ShouldBe("What this session read may have been lost: replica 'pg-2', which returned it, has replayed WAL that the "
            + "primary does not have.");
        Session.Validate(found).ShouldBeNull("once");
        var other = new PendingPositions();
        other.Add(new PendingObservation(new NodeEpoch(2, Run(1)), 1, 0, OnPrimary: false, Connection: null));
        other.Validate(found.Primary!, found).ShouldBeNull("the other replica has not diverged");
    }

    [Fact]
    public void An_observation_on_another_server_has_the_timeline_of_its_connection()
    {
        var promoted = Promoted().Then(2, Replica(220, timeline: 2));
        Session.BeginObservation(promoted.Nodes[2], onPrimary: false, connection: null, Run(5), timeline: 1).ShouldBeTrue();
        Session.EndObservation(promoted.Nodes[2], onPrimary: false, Run(5));
        Session.Validate(promoted).ShouldNotBeNull("the probed server follows timeline 2, this one may have been left behind")
            .WasWritten.ShouldBeFalse();

        Session.BeginObservation(promoted.Nodes[2], onPrimary: false, connection: null, Run(5), timeline: 2).ShouldBeTrue();
        Session.EndObservation(promoted.Nodes[2], onPrimary: false, Run(5));
        Session.Validate(promoted).ShouldBeNull();
    }

    [Fact]
    public void A_snapshot_older_than_a_position_reports_no_loss()
    {
        Write(Position(230, timeline: 2), timeline: 2);

        Session.Validate(Cluster).ShouldBeNull();
        Session.Written.ShouldBe(Position(230, timeline: 2));
        Session.IsAheadOf(Cluster).ShouldBeFalse("this process has already detected the promotion");
    }

    [Fact]
    public void A_position_on_a_later_timeline_may_be_lost_if_no_promotion_is_found()
    {
        Session.Resume(Position(230, timeline: 2));
        Session.IsAheadOf(Cluster).ShouldBeTrue();
        Session.IsAheadOf(Promoted()).ShouldBeFalse();
        Session.NeedsVerification(Cluster.Primary!).ShouldBeTrue();

        Session.Verify(Cluster.Primary!).ShouldNotBeNull().ToString().ShouldBe(
            "What this session wrote up to position 0/E6 on timeline 2 may have been lost: the primary is on timeline 1, so the "
                + "position is forged or of a primary that is not there.");
        Session.Written.ShouldBe(Position(100));
    }

    [Fact]
    public void A_crash_affects_only_positions_of_the_epoch_before_it()
    {
        Write(Position(150));
        Session.Validate(Crashed()).ShouldNotBeNull().IsCertain.ShouldBeTrue();
        Session.Written.ShouldBe(Position(120));

        Session.BeginWrite();
        Session.EndWrite(Crashed().Primary!, new KnownPosition(Position(150), 1));
        Session.Validate(Crashed()).ShouldBeNull("it was written after the crash");
        Session.Written.ShouldBe(Position(150));
    }

    [Fact]
    public void A_position_from_another_process_beyond_the_primary_is_verified_by_a_sample()
    {
        Session.Resume(Position(900), Position(950));
        Session.NeedsVerification(On(1, 899)).ShouldBeTrue();
        Session.NeedsVerification(On(1, 899, insert: 950)).ShouldBeFalse();

        Session.Verify(On(1, 950)).ShouldBeNull();
        Session.Written.ShouldBe(Position(900));

        var lost = Session.Verify(On(1, 800)).ShouldNotBeNull();
        (lost.WasWritten, lost.IsCertain, lost.Position).ShouldBe((true, false, Position(900)));
        (Session.Written, Session.Observed).ShouldBe((Position(800), Position(800)));
    }

    [Fact]
    public void A_position_recorded_by_this_process_needs_no_verification()
    {
        Write(Position(900));

        Session.NeedsVerification(On(1, 800)).ShouldBeFalse("only the snapshot is older");
        Session.Verify(On(1, 800)).ShouldBeNull();
    }

    [Fact]
    public void A_recorded_loss_is_reported_once_even_without_a_primary()
    {
        var lost = LostWrite.Of(Position(1), isCertain: true, wasWritten: true, "of a test");
        Session.NoteLoss(lost);

        Session.Validate(Of(Silence, Silence)).ShouldBe(lost);
        Session.Validate(Of(Silence, Silence)).ShouldBeNull();
        Session.HasMoved.ShouldBeTrue();
    }
}
