using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class ConsistencySessionTests
{
    private readonly ConsistencySession _session = new();

    [Fact]
    public void A_session_that_wrote_nothing_asks_for_nothing()
    {
        _session.Require(Consistency.ReadYourWrites).ShouldBe(default);
        _session.Written.ShouldBeNull();
        _session.HasMoved.ShouldBeFalse();
        _session.PendingMark.ShouldBeNull();
    }

    [Fact]
    public void A_session_begun_at_a_place_must_read_it_but_has_not_moved()
    {
        using var session = new ConsistencySession();
        session.Resume(Place(500));

        session.Require(Consistency.ReadYourWrites).MustInclude.ShouldBe(Place(500));
        session.HasMoved.ShouldBeFalse();
    }

    [Fact]
    public void Strong_reads_ask_the_primary_and_eventual_ones_anybody_whatever_was_written()
    {
        Write(Place(500));
        _session.MarkWritten();

        _session.Require(Consistency.Strong).PrimaryBecause.ShouldBe(RouteReason.StrongConsistency);
        _session.Require(Consistency.Eventual).ShouldBe(default);
    }

    [Fact]
    public void Reads_must_include_the_latest_known_write()
    {
        Write(Place(500));
        Write(Place(300));

        _session.Written.ShouldBe(Place(500));
        _session.Require(Consistency.ReadYourWrites).MustInclude.ShouldBe(Place(500));
        _session.HasMoved.ShouldBeTrue();
    }

    [Fact]
    public void While_a_write_is_under_way_reads_keep_to_the_primary()
    {
        _session.BeginWrite(1);
        ShouldKeepToThePrimary();

        _session.EndWrite(Place(500));
        _session.Require(Consistency.ReadYourWrites).MustInclude.ShouldBe(Place(500));
    }

    [Fact]
    public void While_one_of_two_writes_is_under_way_reads_keep_to_the_primary()
    {
        _session.BeginWrite(1);
        _session.BeginWrite(1);
        _session.EndWrite(Place(500));
        ShouldKeepToThePrimary();
    }

    [Fact]
    public void A_write_that_was_abandoned_asks_for_nothing()
    {
        _session.BeginWrite(1);
        _session.AbandonWrite();

        _session.Require(Consistency.ReadYourWrites).ShouldBe(default);
    }

    [Fact]
    public void A_pending_write_is_resolved_by_a_sample_taken_after_it()
    {
        Write(at: null);
        ShouldKeepToThePrimary();
        var mark = _session.PendingMark.ShouldNotBeNull();

        _session.Resolve(mark, Place(700));
        _session.Written.ShouldBe(Place(700));
        _session.PendingMark.ShouldBeNull();
    }

    [Fact]
    public void A_sample_resolves_no_write_that_ended_after_its_mark()
    {
        Write(at: null);
        var mark = _session.PendingMark!.Value;
        Write(at: null);

        _session.Resolve(mark, Place(700));
        ShouldKeepToThePrimary();

        _session.Resolve(_session.PendingMark!.Value, Place(800));
        _session.Written.ShouldBe(Place(800));
    }

    [Fact]
    public void An_older_sample_that_comes_late_takes_nothing_back()
    {
        Write(at: null);
        var first = _session.PendingMark!.Value;
        Write(at: null);
        var second = _session.PendingMark!.Value;

        _session.Resolve(second, Place(800));
        _session.Resolve(first, Place(700));

        _session.Written.ShouldBe(Place(800));
        _session.PendingMark.ShouldBeNull();
    }

    [Fact]
    public void A_write_noted_by_hand_is_pending()
    {
        _session.MarkWritten();
        ShouldKeepToThePrimary();

        _session.Resolve(_session.PendingMark!.Value, Place(700));
        _session.Written.ShouldBe(Place(700));
    }

    [Fact]
    public void A_write_in_doubt_keeps_reads_on_the_primary_and_no_sample_helps()
    {
        Write(Place(500));
        _session.BeginWrite(1);
        _session.EndWrite(at: null, isInDoubt: true);

        _session.PendingMark.ShouldBeNull();
        Write(Place(900));
        ShouldKeepToThePrimary();
    }

    [Fact]
    public void A_pending_write_is_in_doubt_when_the_sample_is_of_another_timeline()
    {
        Write(at: null, timeline: 1);
        _session.Resolve(_session.PendingMark!.Value, Place(9_000, timeline: 2));

        ShouldKeepToThePrimary();
        _session.PendingMark.ShouldBeNull();
    }

    [Fact]
    public void A_pending_write_is_in_doubt_when_the_next_write_goes_to_another_timeline()
    {
        Write(at: null, timeline: 1);
        Write(Place(9_000, timeline: 2), timeline: 2);

        ShouldKeepToThePrimary();
        _session.PendingMark.ShouldBeNull();
    }

    [Fact]
    public void A_write_still_under_way_on_the_old_timeline_is_in_doubt_when_another_goes_to_the_new_one()
    {
        // The old primary is cut off, not dead: its open connection ends only after the new one was written to.
        _session.BeginWrite(1);
        Write(at: null, timeline: 2);
        _session.EndWrite(at: null);

        if (_session.PendingMark is { } mark) _session.Resolve(mark, Place(9_000, timeline: 2));
        ShouldKeepToThePrimary();
    }

    [Fact]
    public void A_known_write_of_an_earlier_timeline_leaves_later_ones_free_of_doubt()
    {
        Write(Place(500, timeline: 1), timeline: 1);
        Write(at: null, timeline: 2);
        _session.Resolve(_session.PendingMark!.Value, Place(700, timeline: 2));

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
                    _session.BeginWrite(1);
                    if (i % 3 == 0) _session.AbandonWrite();
                    else _session.EndWrite(i % 5 == 0 ? null : Place((ulong)((i * Threads) + thread)));
                    if (i % 7 == 0 && _session.PendingMark is { } mark) _session.Resolve(mark, Place(1));
                }
            },
            TestContext.Current.CancellationToken)));

        if (_session.PendingMark is { } last) _session.Resolve(last, Place(1));
        _session.Written.ShouldBe(Place((1_999 * Threads) + Threads - 1));
    }

    private void Write(Place? at, uint timeline = 1)
    {
        _session.BeginWrite(timeline);
        _session.EndWrite(at);
    }

    private void ShouldKeepToThePrimary()
    {
        _session.Require(Consistency.ReadYourWrites).PrimaryBecause.ShouldBe(RouteReason.WrittenPositionUnknown);
        _session.Written.ShouldBeNull();
    }
}
