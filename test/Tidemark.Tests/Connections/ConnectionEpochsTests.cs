using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>What a physical connection proves about its server.</summary>
public sealed class ConnectionEpochsTests
{
    [Fact]
    public void A_connection_that_is_older_than_a_probe_of_a_single_server_is_verified()
    {
        var (epochs, connection) = (new ConnectionEpochs(), new object());
        var node = Of(Primary(), Replica()).Nodes[1];
        epochs.IsVerified(connection, node with { ProbeNumber = 5 }, probesSent: 5)
            .ShouldBeFalse("the probe may have been sent before it was opened");
        epochs.IsVerified(connection, node with { ProbeNumber = 6 }, probesSent: 6).ShouldBeTrue();
    }

    [Fact]
    public void A_connection_to_one_of_several_servers_is_never_verified_by_its_age()
    {
        var (epochs, connection) = (new ConnectionEpochs(), new object());
        var node = Of(Primary(), Replica()).Nodes[1] with { HasSeveralServers = true };
        epochs.IsVerified(connection, node with { ProbeNumber = 5 }, probesSent: 5).ShouldBeFalse();
        epochs.IsVerified(connection, node with { ProbeNumber = 6 }, probesSent: 6).ShouldBeFalse();
    }

    [Fact]
    public void A_connection_is_of_the_epoch_that_it_has_shown_last()
    {
        var (epochs, connection) = (new ConnectionEpochs(), new object());
        epochs.EpochOf(connection).ShouldBe(default);
        epochs.Record(connection, Run(1));
        epochs.EpochOf(connection).ShouldBe(Run(1));
        epochs.Record(connection, Run(2));
        epochs.EpochOf(connection).ShouldBe(Run(2));
        epochs.EpochOf(new object()).ShouldBe(default);
        epochs.TimelineOf(connection).ShouldBe(0u);
        epochs.Record(connection, Run(2), timeline: 3);
        epochs.TimelineOf(connection).ShouldBe(3u);
        epochs.TimelineOf(new object()).ShouldBe(0u);
    }
}
