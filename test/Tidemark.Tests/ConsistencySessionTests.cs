using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class ConsistencySessionTests
{
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

    private static NodeState On(uint timeline, ulong position = 1, ulong insert = 0) =>
        Of(Primary(position, timeline) with { InsertPosition = At(insert == 0 ? position : insert) }).Primary!;

    private long? Pending => _session.NeedsSample(ConsistencyDemands.Written | ConsistencyDemands.Seen, Of(Primary()), mayStay: true);

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
