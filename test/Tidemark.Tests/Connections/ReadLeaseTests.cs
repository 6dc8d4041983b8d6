using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>What a session records about a read, from the opening of its connection to the end.</summary>
public sealed class ReadLeaseTests : SessionTestBase
{
    private readonly int[] _readsInFlight = new int[3];
    private readonly object _connection = new();

    [Fact]
    public void A_read_is_in_flight_from_opening_to_closing_and_counts_once()
    {
        var lease = LeaseOn(1);
        lease.Opened(_connection);
        lease.Opened(_connection);
        _readsInFlight.ShouldBe([0, 1, 0]);

        lease.Closed();
        lease.Closed();
        _readsInFlight.ShouldBe([0, 0, 0]);
    }

    [Fact]
    public void A_session_stays_on_the_node_that_it_has_read_from()
    {
        Show(LeaseOn(1));
        (Session.Require(Both).StayOn, Session.Require(Both).StayConnection).ShouldBe((new NodeEpoch(1, Run(1)), _connection));

        using var other = new ConsistencySession();
        Show(LeaseOn(0, other));
        other.Require(Both).PrimaryBecause.ShouldBe(RouteReason.ObservedPositionUnknown);
    }

    [Fact]
    public void An_attempt_that_was_given_up_observed_nothing()
    {
        var lease = LeaseOn(1);
        lease.Opened(_connection);
        lease.Closed();

        Session.Require(Both).ShouldBe(default);
    }

    [Fact]
    public void A_statement_on_a_writable_connection_counts_as_a_write()
    {
        var lease = LeaseOn(0);
        lease.Opened(_connection);
        lease.Sending(isReadOnly: true, process: 41, proof: null);
        (lease.MayHaveWritten, Session.IsUnknown).ShouldBe((false, false));
        lease.Sending(isReadOnly: false, process: 41, proof: null);
        (lease.MayHaveWritten, Session.IsUnknown).ShouldBe((true, true));
        lease.Closed();
        Pending.ShouldNotBeNull("a sample can be taken after its end");

        lease.Opened(_connection);
        lease.MayHaveWritten.ShouldBeFalse();
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, false)]
    public void A_statement_whose_connection_broke_is_in_doubt_on_the_primary_only(int node, bool isInDoubt)
    {
        var lease = LeaseOn(node);
        lease.Opened(_connection);
        lease.Sending(isReadOnly: false, process: 41, proof: null);
        lease.Closed(isBroken: true);

        Session.IsInDoubt.ShouldBe(isInDoubt, "a replica commits nothing");
        if (isInDoubt) Session.BackendsInDoubt(Cluster.Primary!).ShouldBe([41]);
    }

    [Fact]
    public void A_reused_connection_object_belongs_to_the_node_and_session_of_the_next_read()
    {
        var lease = LeaseOn(1);
        lease.Opened(_connection);
        using var next = new ConsistencySession();
        lease.Renew(Cluster.Nodes[2], next);
        lease.Deliver();
        Session.Require(Both).StayOn.ShouldBe(new NodeEpoch(1, Run(1)), "it is still open");
        lease.Closed();

        lease.Renew(Cluster.Nodes[2], next);
        Show(lease);
        next.Require(Both).StayOn.ShouldBe(new NodeEpoch(2, Run(1)));
    }

    private ReadLease LeaseOn(int node, ConsistencySession? session = null) => new(_readsInFlight, Cluster.Nodes[node], session ?? Session);

    private void Show(ReadLease lease)
    {
        lease.Opened(_connection);
        lease.Deliver();
        lease.Closed();
    }
}
