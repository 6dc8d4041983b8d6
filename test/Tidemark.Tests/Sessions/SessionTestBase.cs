using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>A session on a primary and two replicas, with helper methods.</summary>
public abstract class SessionTestBase
{
    private protected const ConsistencyDemands Both = ConsistencyDemands.Written | ConsistencyDemands.Observed;

    private protected static readonly ClusterSnapshot Cluster = Of(Primary(), Replica(), Replica());

    private protected ConsistencySession Session { get; } = new();

    private protected static NodeState On(uint timeline, ulong position = 1, ulong insert = 0) =>
        Of(Primary(position, timeline) with { InsertLsn = At(insert == 0 ? position : insert) }).Primary!;

    private protected long? Pending =>
        Session.NeedsSample(ConsistencyDemands.Written | ConsistencyDemands.Observed, Of(Primary()), mayStay: true);

    private protected long? Needs(ClusterSnapshot snapshot, bool mayStay = true) => Session.NeedsSample(Both, snapshot, mayStay);

    private protected static ProbeAnswer Started(int hour) => Primary() with { Epoch = Run(hour) };

    /// <summary>pg-2 was promoted, at an LSN between 150 and 210.</summary>
    private protected static ClusterSnapshot Promoted() =>
        Of(Primary(200), Replica(150), Replica(150)).Then(0, Silence).Then(1, Primary(210, timeline: 2));

    /// <summary>The primary has crashed. It kept everything up to 100, and possibly up to 120.</summary>
    private protected static ClusterSnapshot Crashed() => Cluster.Then(0, Primary(120) with { Epoch = Run(2) });

    private protected LostWrite? Resolve(long mark, ulong flushed, ulong inserted)
    {
        var snapshot = Of(Primary(flushed) with { InsertLsn = At(inserted) }, Replica(), Replica());
        return Session.Resolve(mark, snapshot.Primary!, snapshot);
    }

    private protected LostWrite? Resolve(long mark, WalPosition at)
    {
        var snapshot = Of(Primary((ulong)at.Lsn, at.Timeline), Replica(), Replica());
        return Session.Resolve(mark, snapshot.Primary!, snapshot);
    }

    private protected void End(WalPosition? at, uint timeline = 1) =>
        Session.EndWrite(On(timeline), at is { } position ? new KnownPosition(position, 0) : null);

    private protected void Write(WalPosition? at, uint timeline = 1)
    {
        Session.BeginWrite();
        End(at, timeline);
    }

    private protected void ShouldKeepToThePrimary()
    {
        Session.Require(ConsistencyDemands.Written).PrimaryBecause.ShouldBe(RouteReason.WrittenPositionUnknown);
        Session.Written.ShouldBeNull();
    }
}
