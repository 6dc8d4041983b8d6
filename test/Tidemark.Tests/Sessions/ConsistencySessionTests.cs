using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>What reads of a session must include, and how a session ends.</summary>
public sealed class ConsistencySessionTests : SessionTestBase
{
    [Fact]
    public void A_session_that_wrote_nothing_requires_nothing()
    {
        Session.Require(ConsistencyDemands.Written).ShouldBe(default);
        Session.Written.ShouldBeNull();
        Session.HasMoved.ShouldBeFalse();
        Pending.ShouldBeNull();
    }

    [Fact]
    public void A_session_begun_at_a_position_requires_it_but_has_not_moved()
    {
        using var session = new ConsistencySession();
        session.Resume(Position(500));

        session.Require(ConsistencyDemands.Written).MustInclude.ShouldBe(Position(500));
        session.HasMoved.ShouldBeFalse();
    }

    [Fact]
    public void Strong_reads_need_the_primary_and_eventual_reads_any_node()
    {
        Write(Position(500));
        Session.MarkWritten();

        Session.Require(ConsistencyDemands.Primary).PrimaryBecause.ShouldBe(RouteReason.StrongConsistency);
        Session.Require(ConsistencyDemands.None).ShouldBe(default);
    }

    [Fact]
    public void Reads_must_include_the_latest_known_write()
    {
        Write(Position(500));
        Write(Position(300));

        Session.Written.ShouldBe(Position(500));
        Session.Require(ConsistencyDemands.Written).MustInclude.ShouldBe(Position(500));
        Session.HasMoved.ShouldBeTrue();
    }

    [Fact]
    public void Reads_stay_on_the_primary_while_a_write_is_in_progress()
    {
        Session.BeginWrite();
        ShouldKeepToThePrimary();

        End(Position(500));
        Session.Require(ConsistencyDemands.Written).MustInclude.ShouldBe(Position(500));
    }

    [Fact]
    public void Reads_stay_on_the_primary_while_one_of_two_writes_is_in_progress()
    {
        Session.BeginWrite();
        Session.BeginWrite();
        End(Position(500));
        ShouldKeepToThePrimary();
    }

    [Fact]
    public void An_abandoned_write_requires_nothing()
    {
        Session.BeginWrite();
        Session.AbandonWrite();

        Session.Require(ConsistencyDemands.Written).ShouldBe(default);
    }

    [Fact]
    public void Dispose_runs_its_callback_once_and_rejects_further_writes()
    {
        var ended = 0;
        var session = new ConsistencySession(onDispose: () => ended++);
        session.Dispose();
        session.Dispose();

        ended.ShouldBe(1);
        Should.Throw<ObjectDisposedException>(session.MarkWritten);
    }

    [Fact]
    public async Task Writes_of_many_threads_end_at_the_latest_position()
    {
        const int Threads = 8;
        const int Writes = 2_000;
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(thread => Task.Run(
            () =>
            {
                for (var i = 1; i <= Writes; i++)
                {
                    Session.BeginWrite();
                    if (i % 3 == 0) Session.AbandonWrite();
                    else End(i % 5 == 0 ? null : Position((ulong)((i * Threads) + thread)));
                    if (i % 7 == 0 && Pending is { } mark) Resolve(mark, Position(1));
                }
            },
            TestContext.Current.CancellationToken)));

        if (Pending is { } last) Resolve(last, Position(1));
        Session.Written.ShouldBe(Position((1_999 * Threads) + Threads - 1));
    }

    [Fact]
    public void Each_level_requires_its_own_watermarks()
    {
        Write(Position(500));
        Session.Observe(On(1), onPrimary: true, new KnownPosition(Position(700), 0));

        Session.Require(ConsistencyDemands.None).MustInclude.ShouldBeNull();
        Session.Require(ConsistencyDemands.Written).MustInclude.ShouldBe(Position(500));
        Session.Require(ConsistencyDemands.Observed).MustInclude.ShouldBe(Position(700));
        Session.Require(Both).MustInclude.ShouldBe(Position(700));
        (Session.Written, Session.Observed).ShouldBe((Position(500), Position(700)));
        Session.HasMoved.ShouldBeTrue();
    }

    [Fact]
    public void A_read_does_not_move_the_session()
    {
        Session.Observe(On(1), onPrimary: true, new KnownPosition(Position(700), 0));

        Session.HasMoved.ShouldBeFalse();
        Session.Require(ConsistencyDemands.Written).MustInclude.ShouldBeNull();
    }

    [Fact]
    public void A_pending_write_does_not_affect_monotonic_reads_and_vice_versa()
    {
        Session.Observe(Cluster.Nodes[1], onPrimary: false);
        Session.Require(ConsistencyDemands.Written).ShouldBe(default);

        Write(at: null);
        Session.Require(ConsistencyDemands.Observed).StayOn.ShouldBe(new NodeEpoch(1, Run(1)));
    }

    [Fact]
    public async Task IgnoreWrites_scopes_end_in_any_order_and_in_any_flow()
    {
        using var other = new ConsistencySession();
        var first = Session.IgnoreWrites();
        var second = other.IgnoreWrites();
        (Session.IgnoresWrites, other.IgnoresWrites).ShouldBe((true, true));
        first.Dispose();
        (Session.IgnoresWrites, other.IgnoresWrites).ShouldBe((false, true));
        await Task.Run(second.Dispose, TestContext.Current.CancellationToken);
        (Session.IgnoresWrites, other.IgnoresWrites).ShouldBe((false, false));
    }

    [Fact]
    public async Task IgnoreWrites_affects_only_its_own_flow()
    {
        using (Session.IgnoreWrites())
        {
            Session.BeginWrite().ShouldBeFalse();
            await Task.Yield();
            Session.BeginWrite().ShouldBeFalse("it flows with await");
            using var other = new ConsistencySession();
            other.BeginWrite().ShouldBeTrue();

            Task<bool> elsewhere;
            using (ExecutionContext.SuppressFlow()) elsewhere = Task.Run(Session.BeginWrite, TestContext.Current.CancellationToken);
            (await elsewhere).ShouldBeTrue();
        }

        Session.Require(ConsistencyDemands.Written)
            .PrimaryBecause.ShouldBe(RouteReason.WrittenPositionUnknown, "the write of the other flow is in progress");
        End(Position(500));
        Session.BeginWrite().ShouldBeTrue();
    }

    [Fact]
    public void An_ended_session_throws_and_tracks_nothing()
    {
        Session.Dispose();

        Should.Throw<ObjectDisposedException>(() => Session.Require(ConsistencyDemands.None));
        Should.Throw<ObjectDisposedException>(() => Session.Require(Both)).Message.ShouldContain("must begin its own session");
        Should.Throw<ObjectDisposedException>(Session.MarkWritten);
        Should.Throw<ObjectDisposedException>(Session.IgnoreWrites);
        Session.BeginWrite().ShouldBeFalse();
        Session.Observe(On(1), onPrimary: true);
        Session.Observed.ShouldBeNull();
    }

    [Fact]
    public async Task Concurrent_reads_and_writes_end_at_known_positions()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(flow => Task.Run(
            () =>
            {
                for (var i = 1; i <= 1_000; i++)
                {
                    if (Session.BeginWrite()) End(i % 3 == 0 ? null : Position((ulong)i));
                    Session.Observe(Cluster.Nodes[i % 3], onPrimary: i % 3 == 0, i % 4 == 0
                        ? new KnownPosition(Position((ulong)i), 0) : null);
                    Session.Require(Both);
                    Session.Validate(Cluster);
                    if (i % 5 == 0 && Needs(Cluster, mayStay: false) is { } mark) Resolve(mark, flushed: 2_000, inserted: 2_000);
                }
            },
            TestContext.Current.CancellationToken)));

        if (Needs(Cluster, mayStay: false) is { } last) Resolve(last, flushed: 2_000, inserted: 2_000);
        (Session.Written, Session.Observed).ShouldBe((Position(2_000), Position(2_000)));
    }

    [Fact]
    public void The_position_of_all_writes_is_unknown_while_one_is_pending()
    {
        Write(Position(500));
        Session.PositionOfAllWrites.ShouldBe(Position(500));
        Write(at: null);
        Session.PositionOfAllWrites.ShouldBeNull();
    }

    [Fact]
    public void The_position_of_reads_is_unknown_while_one_is_pending()
    {
        Session.Observe(Cluster.Nodes[1], onPrimary: false, new KnownPosition(Position(100), 0));
        Session.Observed.ShouldBe(Position(100));
        Session.Observe(Cluster.Nodes[1], onPrimary: false);
        Session.Observed.ShouldBeNull();
    }

    [Fact]
    public void A_session_that_detects_its_lost_write_needs_a_new_token()
    {
        using var session = new ConsistencySession();
        session.Resume(Position(500));
        session.Validate(Promoted()).ShouldNotBeNull().WasWritten.ShouldBeTrue();
        session.HasMoved.ShouldBeTrue("the browser's token still requires what is lost");
    }

    [Fact]
    public void A_session_that_wrote_or_read_anything_can_lose_something()
    {
        using var wrote = new ConsistencySession();
        using var observed = new ConsistencySession();
        using var pending = new ConsistencySession();
        wrote.Resume(Position(500));
        observed.Resume(null, Position(500));
        pending.MarkWritten();

        Session.HasPositions.ShouldBeFalse();
        wrote.HasPositions.ShouldBeTrue();
        observed.HasPositions.ShouldBeTrue();
        pending.HasPositions.ShouldBeTrue();
    }

    [Fact]
    public void A_session_whose_write_is_beyond_the_primary_needs_a_new_token()
    {
        using var wrote = new ConsistencySession();
        using var observed = new ConsistencySession();
        wrote.Resume(Position(500));
        observed.Resume(null, Position(500));

        wrote.Verify(Cluster.Primary!).ShouldNotBeNull().WasWritten.ShouldBeTrue();
        observed.Verify(Cluster.Primary!).ShouldNotBeNull().WasWritten.ShouldBeFalse();
        (wrote.HasMoved, observed.HasMoved).ShouldBe((true, false));
    }

    [Fact]
    public void A_monotonic_read_stays_on_its_replica_despite_a_write_on_a_later_timeline()
    {
        Session.Resume(Position(500, timeline: 7));
        Session.Observe(Cluster.Nodes[1], onPrimary: false);

        Session.NeedsSample(ConsistencyDemands.Observed, Cluster, mayStay: true).ShouldBeNull("it can stay where it read");
        Session.NeedsSample(Both, Cluster, mayStay: true).ShouldNotBeNull("no replica has the write");
    }

    [Fact]
    public void A_session_is_ahead_of_a_snapshot_by_its_writes_or_its_reads()
    {
        using var wrote = new ConsistencySession();
        using var observed = new ConsistencySession();
        wrote.Resume(Position(500, timeline: 2));
        observed.Resume(null, Position(500, timeline: 2));

        wrote.IsAheadOf(Cluster).ShouldBeTrue();
        observed.IsAheadOf(Cluster).ShouldBeTrue();
        Session.IsAheadOf(Cluster).ShouldBeFalse();
    }
}
