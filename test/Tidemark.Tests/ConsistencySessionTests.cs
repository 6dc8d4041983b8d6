using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class ConsistencySessionTests
{
    private const ConsistencyDemands Both = ConsistencyDemands.Written | ConsistencyDemands.Seen;

    private static readonly ClusterSnapshot Cluster = Of(Primary(), Replica(), Replica());

    private readonly ConsistencySession _session = new();

    [Fact]
    public void A_session_that_wrote_nothing_asks_for_nothing()
    {
        _session.Require(ConsistencyDemands.Written).ShouldBe(default);
        _session.Written.ShouldBeNull();
        _session.HasMoved.ShouldBeFalse();
        Pending.ShouldBeNull();
    }

    [Fact]
    public void A_session_begun_at_a_place_must_read_it_but_has_not_moved()
    {
        using var session = new ConsistencySession();
        session.Resume(Place(500));

        session.Require(ConsistencyDemands.Written).MustInclude.ShouldBe(Place(500));
        session.HasMoved.ShouldBeFalse();
    }

    [Fact]
    public void Strong_reads_ask_the_primary_and_eventual_ones_anybody_whatever_was_written()
    {
        Write(Place(500));
        _session.MarkWritten();

        _session.Require(ConsistencyDemands.Primary).PrimaryBecause.ShouldBe(RouteReason.StrongConsistency);
        _session.Require(ConsistencyDemands.None).ShouldBe(default);
    }

    [Fact]
    public void Reads_must_include_the_latest_known_write()
    {
        Write(Place(500));
        Write(Place(300));

        _session.Written.ShouldBe(Place(500));
        _session.Require(ConsistencyDemands.Written).MustInclude.ShouldBe(Place(500));
        _session.HasMoved.ShouldBeTrue();
    }

    [Fact]
    public void While_a_write_is_under_way_reads_keep_to_the_primary()
    {
        _session.BeginWrite();
        ShouldKeepToThePrimary();

        End(Place(500));
        _session.Require(ConsistencyDemands.Written).MustInclude.ShouldBe(Place(500));
    }

    [Fact]
    public void While_one_of_two_writes_is_under_way_reads_keep_to_the_primary()
    {
        _session.BeginWrite();
        _session.BeginWrite();
        End(Place(500));
        ShouldKeepToThePrimary();
    }

    [Fact]
    public void A_write_that_was_abandoned_asks_for_nothing()
    {
        _session.BeginWrite();
        _session.AbandonWrite();

        _session.Require(ConsistencyDemands.Written).ShouldBe(default);
    }

    [Fact]
    public void A_pending_write_is_resolved_by_a_sample_taken_after_it()
    {
        Write(at: null);
        ShouldKeepToThePrimary();
        var mark = Pending.ShouldNotBeNull();

        Resolve(mark, Place(700));
        _session.Written.ShouldBe(Place(700));
        Pending.ShouldBeNull();
    }

    [Fact]
    public void A_sample_resolves_no_write_that_ended_after_its_mark()
    {
        Write(at: null);
        var mark = Pending!.Value;
        Write(at: null);

        Resolve(mark, Place(700));
        ShouldKeepToThePrimary();

        Resolve(Pending!.Value, Place(800));
        _session.Written.ShouldBe(Place(800));
    }

    [Fact]
    public void An_older_sample_that_comes_late_takes_nothing_back()
    {
        Write(at: null);
        var first = Pending!.Value;
        Write(at: null);
        var second = Pending!.Value;

        Resolve(second, Place(800));
        Resolve(first, Place(700));

        _session.Written.ShouldBe(Place(800));
        Pending.ShouldBeNull();
    }

    [Fact]
    public void A_write_noted_by_hand_is_pending()
    {
        _session.MarkWritten();
        ShouldKeepToThePrimary();

        Resolve(Pending!.Value, Place(700));
        _session.Written.ShouldBe(Place(700));
    }

    [Fact]
    public void A_write_in_doubt_keeps_reads_on_the_primary_and_no_sample_helps()
    {
        Write(Place(500));
        _session.BeginWrite();
        _session.EndWrite(On(1), at: null, isInDoubt: true);

        Pending.ShouldBeNull();
        Write(Place(900));
        ShouldKeepToThePrimary();
    }

    [Fact]
    public void A_pending_write_may_be_lost_when_the_sample_is_of_another_timeline()
    {
        Write(at: null, timeline: 1);
        var lost = Resolve(Pending!.Value, Place(9_000, timeline: 2)).ShouldNotBeNull();

        (lost.IsCertain, lost.WasWritten, lost.Place).ShouldBe((false, true, null));
        lost.ToString().ShouldBe("What this session wrote may have been lost: history went on from timeline 1 to 2 before its position was learned.");
        _session.Written.ShouldBe(Place(9_000, timeline: 2), "the present has whatever survived");
        Pending.ShouldBeNull();
    }

    [Fact]
    public void A_write_that_ended_on_the_old_timeline_may_be_lost_though_another_went_to_the_new_one()
    {
        // The old primary is cut off, not dead: its open connection ends only after the new one was written to.
        _session.BeginWrite();
        Write(Place(500, timeline: 2), timeline: 2);
        End(at: null, timeline: 1);

        Resolve(Pending!.Value, Place(9_000, timeline: 2)).ShouldNotBeNull().IsCertain.ShouldBeFalse();
    }

    [Fact]
    public void A_known_write_of_an_earlier_timeline_leaves_later_ones_free_of_doubt()
    {
        Write(Place(500, timeline: 1), timeline: 1);
        Write(at: null, timeline: 2);
        Resolve(Pending!.Value, Place(700, timeline: 2));

        _session.Written.ShouldBe(Place(700, timeline: 2));
    }

    [Fact]
    public void Dispose_runs_its_callback_once_and_refuses_further_notes()
    {
        var ended = 0;
        var session = new ConsistencySession(onDispose: () => ended++);
        session.Dispose();
        session.Dispose();

        ended.ShouldBe(1);
        Should.Throw<ObjectDisposedException>(session.MarkWritten);
    }

    [Fact]
    public async Task Writes_of_many_threads_end_at_the_latest_of_their_places()
    {
        const int Threads = 8;
        const int Writes = 2_000;
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(thread => Task.Run(
            () =>
            {
                for (var i = 1; i <= Writes; i++)
                {
                    _session.BeginWrite();
                    if (i % 3 == 0) _session.AbandonWrite();
                    else End(i % 5 == 0 ? null : Place((ulong)((i * Threads) + thread)));
                    if (i % 7 == 0 && Pending is { } mark) Resolve(mark, Place(1));
                }
            },
            TestContext.Current.CancellationToken)));

        if (Pending is { } last) Resolve(last, Place(1));
        _session.Written.ShouldBe(Place((1_999 * Threads) + Threads - 1));
    }

    [Fact]
    public void Each_level_asks_for_its_own_horizons()
    {
        Write(Place(500));
        _session.Saw(On(1), onPrimary: true, new Stamp(Place(700), 0));

        _session.Require(ConsistencyDemands.None).MustInclude.ShouldBeNull();
        _session.Require(ConsistencyDemands.Written).MustInclude.ShouldBe(Place(500));
        _session.Require(ConsistencyDemands.Seen).MustInclude.ShouldBe(Place(700));
        _session.Require(Both).MustInclude.ShouldBe(Place(700));
        (_session.Written, _session.Seen).ShouldBe((Place(500), Place(700)));
        _session.HasMoved.ShouldBeTrue();
    }

    [Fact]
    public void What_was_only_seen_does_not_move_the_session()
    {
        _session.Saw(On(1), onPrimary: true, new Stamp(Place(700), 0));

        _session.HasMoved.ShouldBeFalse();
        _session.Require(ConsistencyDemands.Written).MustInclude.ShouldBeNull();
    }

    [Fact]
    public void A_pending_write_does_not_bind_monotonic_reads_nor_a_pending_sight_own_writes()
    {
        _session.Saw(Cluster.Nodes[1], onPrimary: false);
        _session.Require(ConsistencyDemands.Written).ShouldBe(default);

        Write(at: null);
        _session.Require(ConsistencyDemands.Seen).StayOn.ShouldBe(new NodeEpoch(1, 1));
    }

    [Fact]
    public void After_a_read_on_one_replica_the_session_stays_there_on_its_connection_and_needs_no_sample()
    {
        var connection = new object();
        Write(Place(500));
        _session.Saw(Cluster.Nodes[1], onPrimary: false, at: null, connection);

        var require = _session.Require(Both);
        (require.StayOn, require.StayConnection, require.MustInclude, require.PrimaryBecause)
            .ShouldBe((new NodeEpoch(1, 1), connection, Place(500), RouteReason.None));
        Needs(Cluster).ShouldBeNull();
        _session.Seen.ShouldBeNull();
    }

    [Fact]
    public void A_session_cannot_stay_where_it_is_told_not_to_or_where_the_server_has_lived_anew_or_is_gone()
    {
        _session.Saw(Cluster.Nodes[1], onPrimary: false);

        _session.Require(Both, mayStay: false).PrimaryBecause.ShouldBe(RouteReason.SeenPositionUnknown);
        Needs(Cluster, mayStay: false).ShouldNotBeNull();
        Needs(Cluster.Then(1, Replica() with { Epoch = 2 })).ShouldNotBeNull();
        Needs(Cluster.Then(1, Silence)).ShouldNotBeNull();
        Needs(Cluster.Then(0, Silence).Then(1, Primary(timeline: 2))).ShouldNotBeNull();
    }

    [Fact]
    public void Reads_on_two_replicas_need_a_sample_and_are_both_bounded_by_its_flush_position()
    {
        _session.Saw(Cluster.Nodes[1], onPrimary: false);
        _session.Saw(Cluster.Nodes[2], onPrimary: false);
        _session.Require(Both).PrimaryBecause.ShouldBe(RouteReason.SeenPositionUnknown);

        Resolve(Needs(Cluster)!.Value, flushed: 800, inserted: 900).ShouldBeNull();
        _session.Seen.ShouldBe(Place(800));
        _session.Require(Both).MustInclude.ShouldBe(Place(800));
        Needs(Cluster).ShouldBeNull();
    }

    [Fact]
    public void A_read_on_the_primary_is_bounded_by_the_insert_position()
    {
        // Another's asynchronous commit is visible there before it is flushed.
        _session.Saw(Cluster.Nodes[0], onPrimary: true);
        _session.Require(Both).PrimaryBecause.ShouldBe(RouteReason.SeenPositionUnknown);

        Resolve(Needs(Cluster)!.Value, flushed: 800, inserted: 900);
        _session.Seen.ShouldBe(Place(900));
    }

    [Fact]
    public void A_sample_started_before_a_read_ended_does_not_bound_it()
    {
        _session.Saw(Cluster.Nodes[0], onPrimary: true);
        var mark = Needs(Cluster)!.Value;
        _session.Saw(Cluster.Nodes[0], onPrimary: true);
        _session.Saw(Cluster.Nodes[1], onPrimary: false);

        Resolve(mark, flushed: 800, inserted: 800);
        _session.Seen.ShouldBeNull();
        _session.Require(Both).PrimaryBecause.ShouldBe(RouteReason.SeenPositionUnknown);
    }

    [Fact]
    public void One_sample_resolves_writes_and_sights_alike()
    {
        Write(at: null);
        _session.Saw(Cluster.Nodes[0], onPrimary: true);
        Resolve(Needs(Cluster)!.Value, flushed: 800, inserted: 900);

        // Whether the write waited for its flush is not known, so it is as far as anything inserted.
        (_session.Written, _session.Seen).ShouldBe((Place(900), Place(900)));
    }

    [Fact]
    public void A_sight_on_a_replica_may_be_lost_with_its_timeline()
    {
        _session.Saw(Cluster.Nodes[1], onPrimary: false);
        var lost = Resolve(Needs(Cluster.Then(1, Silence))!.Value, Place(900, timeline: 2)).ShouldNotBeNull();

        (lost.WasWritten, lost.IsCertain).ShouldBe((false, false));
        lost.ToString().ShouldStartWith("What this session read may have been lost: history went on from timeline 1 to 2");
    }

    [Fact]
    public void A_pending_write_may_be_lost_in_a_crash_on_its_own_timeline()
    {
        Write(at: null);
        var crashed = Crashed();
        var lost = _session.Resolve(Needs(crashed)!.Value, crashed.Primary!, crashed).ShouldNotBeNull();

        (lost.WasWritten, lost.IsCertain).ShouldBe((true, false));
        lost.ToString().ShouldBe("What this session wrote may have been lost: the primary may have crashed before its position was learned.");
        _session.Validate(crashed).ShouldBeNull("once");
    }

    [Fact]
    public void What_was_seen_on_the_primary_may_be_lost_in_a_crash_and_what_a_replica_showed_is_not()
    {
        var crashed = Crashed();
        _session.Saw(Cluster.Nodes[1], onPrimary: false);
        _session.Resolve(Needs(crashed, mayStay: false)!.Value, crashed.Primary!, crashed).ShouldBeNull("replicas receive flushed WAL only");

        _session.Saw(Cluster.Nodes[0], onPrimary: true);
        _session.Resolve(Needs(crashed)!.Value, crashed.Primary!, crashed).ShouldNotBeNull().WasWritten.ShouldBeFalse();
    }

    [Fact]
    public void A_write_in_doubt_is_settled_by_another_life_of_its_server()
    {
        var before = Of(Started(1), Replica(), Replica());
        _session.BeginWrite();
        _session.EndWrite(before.Nodes[0], at: null, isInDoubt: true);
        Needs(before).ShouldBeNull();
        Needs(before.Then(0, Silence)).ShouldBeNull("it may live and commit");

        var after = before.Then(0, Started(2));
        _session.Resolve(Needs(after).ShouldNotBeNull(), after.Primary!, after).ShouldBeNull("nobody was told that it was committed");
        _session.Written.ShouldBe(Place(100));
    }

    [Fact]
    public void A_write_in_doubt_is_settled_by_another_timeline_and_may_be_lost()
    {
        var before = Of(Started(1), Replica(), Replica());
        _session.BeginWrite();
        _session.EndWrite(before.Nodes[0], at: null, isInDoubt: true);

        var after = before.Then(0, Silence).Then(1, Primary(200, timeline: 2));
        _session.Resolve(Needs(after).ShouldNotBeNull(), after.Primary!, after).ShouldNotBeNull().IsCertain.ShouldBeFalse();
    }

    [Fact]
    public void A_write_in_doubt_on_a_node_that_had_not_answered_yet_is_not_settled_by_its_first_answer()
    {
        var before = Of(null, null);
        _session.BeginWrite();
        _session.EndWrite(before.Nodes[0], at: null, isInDoubt: true);

        var after = Of(Started(1), Replica());
        Needs(after).ShouldBeNull();
        _session.Resolve(long.MaxValue, after.Primary!, after);
        _session.Require(Both).PrimaryBecause.ShouldBe(RouteReason.WrittenPositionUnknown);
    }

    [Theory]
    [InlineData(150, null)]
    [InlineData(180, false)]
    [InlineData(211, true)]
    public void A_known_write_is_compared_with_the_fork_that_history_took(ulong position, bool? isLostForCertain)
    {
        Write(Place(position));
        var after = Promoted();

        var lost = _session.Validate(after);
        lost?.IsCertain.ShouldBe(isLostForCertain!.Value);
        (lost is null).ShouldBe(isLostForCertain is null);
        if (lost is null) return;

        (lost.Place, lost.WasWritten).ShouldBe((Place(position), true));
        lost.Reason.ShouldBe("timeline 2 left it between 0/96 and 0/D2");
        _session.Written.ShouldBe(Place(210, timeline: 2), "the present");
        _session.Validate(after).ShouldBeNull("once");
        _session.HasMoved.ShouldBeTrue("its token must be replaced");
    }

    [Fact]
    public void A_loss_of_a_place_from_another_process_moves_the_session_or_each_request_would_hear_of_it_again()
    {
        _session.Resume(Place(211));
        _session.HasMoved.ShouldBeFalse();
        _session.Validate(Promoted()).ShouldNotBeNull();
        _session.HasMoved.ShouldBeTrue();
    }

    [Fact]
    public void Of_two_losses_the_certain_one_is_told()
    {
        Write(Place(300));
        _session.Saw(On(1), onPrimary: true, new Stamp(Place(300), 0));

        _session.Validate(Promoted()).ShouldNotBeNull().IsCertain.ShouldBeTrue();
        (_session.Written, _session.Seen).ShouldBe((Place(210, timeline: 2), Place(210, timeline: 2)));
    }

    [Fact]
    public void Places_of_two_timelines_are_both_kept_until_they_are_compared_with_history()
    {
        Write(Place(211));
        Write(Place(230, timeline: 2), timeline: 2);
        _session.Written.ShouldBe(Place(230, timeline: 2));

        _session.Validate(Promoted()).ShouldNotBeNull("the first is lost, though the session wrote again").Place.ShouldBe(Place(211));
        _session.Written.ShouldBe(Place(230, timeline: 2));
    }

    [Fact]
    public void A_snapshot_older_than_a_place_judges_nothing()
    {
        Write(Place(230, timeline: 2), timeline: 2);

        _session.Validate(Cluster).ShouldBeNull();
        _session.Written.ShouldBe(Place(230, timeline: 2));
        _session.IsAheadOf(Cluster).ShouldBeFalse("this process has learned of the promotion already");
    }

    [Fact]
    public void A_place_of_a_later_timeline_asks_for_news_first_and_may_be_lost_if_there_are_none()
    {
        _session.Resume(Place(230, timeline: 2));
        _session.IsAheadOf(Cluster).ShouldBeTrue();
        _session.IsAheadOf(Promoted()).ShouldBeFalse();
        _session.NeedsVerification(Cluster.Primary!).ShouldBeTrue();

        _session.Verify(Cluster.Primary!).ShouldNotBeNull().ToString().ShouldBe(
            "What this session wrote up to position 0/E6 on timeline 2 may have been lost: the primary is on timeline 1, so the position is forged or of a primary that is not there.");
        _session.Written.ShouldBe(Place(100));
    }

    [Fact]
    public void A_crash_is_judged_by_the_life_in_which_the_place_was_learned()
    {
        Write(Place(150));
        _session.Validate(Crashed()).ShouldNotBeNull().IsCertain.ShouldBeTrue();
        _session.Written.ShouldBe(Place(120));

        _session.BeginWrite();
        _session.EndWrite(Crashed().Primary!, new Stamp(Place(150), 1));
        _session.Validate(Crashed()).ShouldBeNull("it was written after the crash");
        _session.Written.ShouldBe(Place(150));
    }

    [Fact]
    public void A_place_from_another_process_beyond_the_primary_is_verified_by_a_sample_and_may_be_lost()
    {
        _session.Resume(Place(900), Place(950));
        _session.NeedsVerification(On(1, 899)).ShouldBeTrue();
        _session.NeedsVerification(On(1, 899, insert: 950)).ShouldBeFalse();

        _session.Verify(On(1, 950)).ShouldBeNull();
        _session.Written.ShouldBe(Place(900));

        var lost = _session.Verify(On(1, 800)).ShouldNotBeNull();
        (lost.WasWritten, lost.IsCertain, lost.Place).ShouldBe((true, false, Place(900)));
        (_session.Written, _session.Seen).ShouldBe((Place(800), Place(800)));
    }

    [Fact]
    public void What_the_process_learned_itself_needs_no_verification()
    {
        Write(Place(900));

        _session.NeedsVerification(On(1, 800)).ShouldBeFalse("the snapshot is merely older");
        _session.Verify(On(1, 800)).ShouldBeNull();
    }

    [Fact]
    public void A_session_that_goes_on_from_somewhere_unknown_binds_every_level_until_one_sample_came()
    {
        _session.Resume(written: null, isUnknown: true);

        _session.Require(ConsistencyDemands.Written).PrimaryBecause.ShouldBe(RouteReason.WrittenPositionUnknown);
        _session.Require(ConsistencyDemands.Seen).PrimaryBecause.ShouldBe(RouteReason.SeenPositionUnknown, "unknown is never fresh");
        _session.HasMoved.ShouldBeFalse();

        Resolve(Needs(Cluster)!.Value, flushed: 800, inserted: 900).ShouldBeNull();
        (_session.Written, _session.Seen).ShouldBe((Place(900), Place(900)));
    }

    [Fact]
    public void A_noted_loss_is_told_once_even_while_there_is_no_primary()
    {
        var lost = LostWrite.Of(Place(1), isCertain: true, wasWritten: true, "of a test");
        _session.NoteLoss(lost);

        _session.Validate(Of(Silence, Silence)).ShouldBe(lost);
        _session.Validate(Of(Silence, Silence)).ShouldBeNull();
        _session.HasMoved.ShouldBeTrue();
    }

    [Fact]
    public async Task Ignored_writes_concern_their_own_flow_only()
    {
        using (_session.IgnoreWrites())
        {
            _session.BeginWrite().ShouldBeFalse();
            await Task.Yield();
            _session.BeginWrite().ShouldBeFalse("it flows with await");
            using var other = new ConsistencySession();
            other.BeginWrite().ShouldBeTrue();

            Task<bool> elsewhere;
            using (ExecutionContext.SuppressFlow()) elsewhere = Task.Run(_session.BeginWrite, TestContext.Current.CancellationToken);
            (await elsewhere).ShouldBeTrue();
        }

        _session.Require(ConsistencyDemands.Written).PrimaryBecause.ShouldBe(RouteReason.WrittenPositionUnknown, "the other flow's write is under way");
        End(Place(500));
        _session.BeginWrite().ShouldBeTrue();
    }

    [Fact]
    public void An_ended_session_answers_nobody_and_follows_nothing()
    {
        _session.Dispose();

        Should.Throw<ObjectDisposedException>(() => _session.Require(ConsistencyDemands.None));
        Should.Throw<ObjectDisposedException>(() => _session.Require(Both));
        Should.Throw<ObjectDisposedException>(_session.MarkWritten);
        Should.Throw<ObjectDisposedException>(_session.IgnoreWrites);
        _session.BeginWrite().ShouldBeFalse();
        _session.Saw(On(1), onPrimary: true);
        _session.Seen.ShouldBeNull();
    }

    [Fact]
    public async Task Reads_and_writes_of_many_flows_at_once_end_in_known_places()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(flow => Task.Run(
            () =>
            {
                for (var i = 1; i <= 1_000; i++)
                {
                    if (_session.BeginWrite()) End(i % 3 == 0 ? null : Place((ulong)i));
                    _session.Saw(Cluster.Nodes[i % 3], onPrimary: i % 3 == 0, i % 4 == 0 ? new Stamp(Place((ulong)i), 0) : null);
                    _session.Require(Both);
                    _session.Validate(Cluster);
                    if (i % 5 == 0 && Needs(Cluster, mayStay: false) is { } mark) Resolve(mark, flushed: 2_000, inserted: 2_000);
                }
            },
            TestContext.Current.CancellationToken)));

        if (Needs(Cluster, mayStay: false) is { } last) Resolve(last, flushed: 2_000, inserted: 2_000);
        (_session.Written, _session.Seen).ShouldBe((Place(2_000), Place(2_000)));
    }

    private static NodeState On(uint timeline, ulong position = 1, ulong insert = 0) =>
        Of(Primary(position, timeline) with { InsertPosition = At(insert == 0 ? position : insert) }).Primary!;

    private long? Pending => _session.NeedsSample(ConsistencyDemands.Written | ConsistencyDemands.Seen, Of(Primary()), mayStay: true);

    private long? Needs(ClusterSnapshot snapshot, bool mayStay = true) => _session.NeedsSample(Both, snapshot, mayStay);

    private static ProbeAnswer Started(int hour) => Primary() with { StartedAt = new DateTimeOffset(2000, 1, 1, hour, 0, 0, TimeSpan.Zero) };

    /// <summary>pg-2 has taken over, between 150 and 210.</summary>
    private static ClusterSnapshot Promoted() =>
        Of(Primary(200), Replica(150), Replica(150)).Then(0, Silence).Then(1, Primary(210, timeline: 2));

    /// <summary>The primary has crashed, and kept everything to 100, perhaps as much as 120.</summary>
    private static ClusterSnapshot Crashed() => Cluster.Then(0, Primary(120) with { Epoch = 2, Checkpoint = At(100) });

    private LostWrite? Resolve(long mark, ulong flushed, ulong inserted)
    {
        var snapshot = Of(Primary(flushed) with { InsertPosition = At(inserted) });
        return _session.Resolve(mark, snapshot.Primary!, snapshot);
    }

    private LostWrite? Resolve(long mark, Place at)
    {
        var snapshot = Of(Primary((ulong)at.Position, at.Timeline));
        return _session.Resolve(mark, snapshot.Primary!, snapshot);
    }

    private void End(Place? at, uint timeline = 1) => _session.EndWrite(On(timeline), at is { } place ? new Stamp(place, 0) : null);

    private void Write(Place? at, uint timeline = 1)
    {
        _session.BeginWrite();
        End(at, timeline);
    }

    private void ShouldKeepToThePrimary()
    {
        _session.Require(ConsistencyDemands.Written).PrimaryBecause.ShouldBe(RouteReason.WrittenPositionUnknown);
        _session.Written.ShouldBeNull();
    }
}
