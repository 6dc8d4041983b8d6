using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>A commit that is in doubt stays in doubt from one process to the next.</summary>
public sealed class InDoubtTokenTests
{
    [Fact]
    public void A_session_continued_from_a_token_in_doubt_reads_on_the_primary()
    {
        var token = new CausalToken(
            7, Position(100), seen: null, unknown: default(UnknownPosition), DateTimeOffset.MaxValue, TimelineChain.Empty, key: null,
            isInDoubt: true);
        var received = CausalToken.Parse(token.ToString());
        received.IsInDoubt.ShouldBeTrue();

        using var session = new ConsistencySession();
        session.Resume(received.Written, received.Observed, received.IsUnknown, received.IsInDoubt);
        var cluster = Of(Primary(900), Replica(900));
        session.IsInDoubt.ShouldBeTrue();
        var mark = session.NeedsSample(ConsistencyDemands.Written, cluster, mayStay: true)
            .ShouldNotBeNull("its other writes are only unknown");
        session.Resolve(mark, cluster.Nodes[0], cluster).ShouldBeNull();
        session.NeedsSample(ConsistencyDemands.Written, cluster, mayStay: true).ShouldBeNull("the server may commit after any sample");
        session.Require(ConsistencyDemands.Written).PrimaryBecause.ShouldBe(RouteReason.WrittenPositionUnknown);
    }

    [Theory]
    [InlineData(41, 0)]
    [InlineData(41, 42)]
    public void Another_process_settles_a_commit_in_doubt_once_the_backends_have_exited(int backend, int other)
    {
        int[] backends = other == 0 ? [backend] : [backend, other];
        var token = new CausalToken(
            7, null, seen: null, UnknownPosition.Of(1, backends), DateTimeOffset.MaxValue, TimelineChain.Empty, key: null,
            isInDoubt: true);
        var received = CausalToken.Parse(token.ToString());
        using var session = new ConsistencySession();
        session.Resume(received.Written, received.Observed, received.IsUnknown, received.IsInDoubt, received.Unknown);
        var cluster = Of(Primary(900), Replica(900));
        session.BackendsInDoubt(cluster.Nodes[0]).ShouldBe(backends);

        session.Settle(cluster.Nodes[0], backends[1..]);
        session.IsInDoubt.ShouldBeTrue("one may still commit");
        session.Settle(cluster.Nodes[0], backends);
        session.Resolve(session.NeedsSample(ConsistencyDemands.Written, cluster, mayStay: true).ShouldNotBeNull(), cluster.Nodes[0],
            cluster);

        session.IsInDoubt.ShouldBeFalse();
        session.Require(ConsistencyDemands.Written).MustInclude.ShouldBe(Position(900));
    }

    [Fact]
    public void An_unknown_position_on_an_earlier_timeline_is_reported_as_a_loss()
    {
        var token = new CausalToken(7, null, seen: null, new UnknownPosition(1), DateTimeOffset.MaxValue, TimelineChain.Empty, key: null);
        var received = CausalToken.Parse(token.ToString());
        using var session = new ConsistencySession();
        session.Resume(received.Written, received.Observed, received.IsUnknown, received.IsInDoubt, received.Unknown);

        session.Validate(Of(Primary(900, timeline: 2))).ShouldNotBeNull().IsCertain.ShouldBeFalse();
        session.Validate(Of(Primary(900, timeline: 2))).ShouldBeNull("it is reported once");
    }

    [Fact]
    public void A_token_does_not_cover_one_with_a_commit_in_doubt()
    {
        static CausalToken At(ulong position, bool isInDoubt) =>
            new(7, Position(position), seen: null, unknown: null, DateTimeOffset.MaxValue, TimelineChain.Empty, key: null, isInDoubt);

        At(200, isInDoubt: false).Covers(At(100, isInDoubt: false)).ShouldBeTrue();
        At(200, isInDoubt: false).Covers(At(100, isInDoubt: true)).ShouldBeFalse("the commit may be beyond the position");
        At(200, isInDoubt: true).Covers(At(100, isInDoubt: false)).ShouldBeFalse();
    }
}
