using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>A commit that is in doubt stays so from one process to the next.</summary>
public sealed class InDoubtTokenTests
{
    [Fact]
    public void A_token_says_that_a_commit_is_in_doubt_and_the_session_after_it_keeps_to_the_primary()
    {
        var token = new CausalToken(7, Place(100), seen: null, isUnknown: true, DateTimeOffset.MaxValue, TimelineChain.Empty, key: null, isInDoubt: true);
        var received = CausalToken.Parse(token.ToString());
        received.IsInDoubt.ShouldBeTrue();

        using var session = new ConsistencySession();
        session.Resume(received.Written, received.Seen, received.IsUnknown, received.IsInDoubt);
        var cluster = Of(Primary(900), Replica(900));
        session.IsInDoubt.ShouldBeTrue();
        session.NeedsSample(ConsistencyDemands.Written, cluster, mayStay: true).ShouldBeNull("the server may commit after any sample");
        session.Require(ConsistencyDemands.Written).PrimaryBecause.ShouldBe(RouteReason.WrittenPositionUnknown);
    }
}
