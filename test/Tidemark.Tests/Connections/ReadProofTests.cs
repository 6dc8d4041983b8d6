using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>What a server must prove before the rows of a read are accepted.</summary>
public sealed class ReadProofTests
{
    private static readonly CheckAnswer Standby = new(IsInRecovery: true, At(100), Timeline: 2, LeastTimeline: 2, Ours, Run(1));
    private static readonly NodeState Visible = Of(Primary(200, timeline: 2), Replica(100, timeline: 2)).Nodes[1];
    private static readonly NodeState Hidden =
        Of(Primary(200, timeline: 2), Replica(100, timeline: 0) with { SeesTimeline = false, LeastTimeline = 2 }).Nodes[1];

    [Theory]
    [InlineData(99, true)]
    [InlineData(100, true)]
    [InlineData(101, false)]
    public void A_replica_proves_a_position_once_it_has_replayed_it(ulong position, bool passes) =>
        Shows(Position(position, 2), Standby).ShouldBe(passes);

    [Fact]
    public void A_server_that_is_not_a_standby_proves_no_replayed_position() =>
        Shows(Position(50, 2), Standby with { IsInRecovery = false }).ShouldBeFalse();

    [Fact]
    public void A_standby_that_has_replayed_nothing_proves_no_position() =>
        Shows(Position(1, 2), Standby with { Replayed = null }).ShouldBeFalse();

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    [InlineData(3, false)]
    public void A_replica_proves_a_position_only_on_the_timeline_that_it_follows(uint timeline, bool passes) =>
        Shows(Position(50, 2), Standby with { Timeline = timeline }).ShouldBe(passes);

    [Fact]
    public void Without_a_receiver_the_last_timeline_of_the_same_epoch_counts()
    {
        Shows(Position(50, 2), Standby with { Timeline = 0, LeastTimeline = 1 }).ShouldBeTrue();
        Shows(Position(50, 2), Standby with { Timeline = 0, LeastTimeline = 1, Epoch = Run(2) }).ShouldBeFalse();
        Shows(Position(50, 2), Standby with { Timeline = 0, Epoch = Run(2) }).ShouldBeTrue("its control file shows the timeline");
    }

    [Fact]
    public void Where_the_timeline_is_hidden_the_control_file_must_show_it()
    {
        Shows(Position(50, 2), Standby with { Timeline = 0 }, Hidden).ShouldBeTrue();
        Shows(Position(50, 2), Standby with { Timeline = 0, LeastTimeline = 1 }, Hidden).ShouldBeFalse();
        Shows(Position(50, 1), Standby with { Timeline = 0, LeastTimeline = 0 }, Hidden)
            .ShouldBeTrue("before any promotion no timeline is reported");
    }

    [Fact]
    public void A_server_of_another_cluster_proves_nothing()
    {
        Shows(Position(50, 2), Standby with { SystemIdentifier = Theirs }).ShouldBeFalse();
        Shows(null, Standby with { SystemIdentifier = Theirs }).ShouldBeFalse("even if nothing else is required");
    }

    [Fact]
    public void A_session_stays_only_in_the_epoch_that_it_has_read_in()
    {
        var proof = new ReadProof(null, Visible, Position: null, Run(1), OnPrimary: false, Ours);

        proof.IsShownBy(Standby).ShouldBeTrue();
        proof.IsShownBy(Standby with { Epoch = Run(1).Restarted() }).ShouldBeFalse("a standby that restarts may go back");
        proof.IsShownBy(Standby with { Epoch = Run(1).Reset() }).ShouldBeFalse();
    }

    [Fact]
    public void A_primary_must_not_be_in_recovery_or_have_crashed()
    {
        var primary = Standby with { IsInRecovery = false, Timeline = 0, LeastTimeline = 0 };
        var proof = new ReadProof(null, Visible, Position: null, Run(1), OnPrimary: true, Ours);

        proof.IsShownBy(primary).ShouldBeTrue();
        proof.IsShownBy(primary with { Epoch = Run(1).Restarted() }).ShouldBeTrue("a clean restart loses nothing");
        proof.IsShownBy(primary with { Epoch = Run(1).Reset() }).ShouldBeFalse();
        proof.IsShownBy(primary with { IsInRecovery = true }).ShouldBeFalse();
        (proof with { Epoch = null }).IsShownBy(primary with { Epoch = Run(2) }).ShouldBeTrue();
        (proof with { Epoch = null }).IsShownBy(primary with { IsInRecovery = true }).ShouldBeFalse();
    }

    private static bool Shows(WalPosition? position, CheckAnswer answer, NodeState? node = null) =>
        new ReadProof(null, node ?? Visible, position, Epoch: null, OnPrimary: false, Ours).IsShownBy(answer);
}
