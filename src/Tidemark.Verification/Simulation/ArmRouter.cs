namespace Tidemark.Verification;

/// <summary>
/// Implements the other common ways to choose a node for a read. It uses the same facts about the nodes as the library's monitor.
/// </summary>
internal sealed class ArmRouter(RoutingArm arm, PlantedFault fault, Random random)
{
    private int _turn;

    /// <summary>Chooses the node for a read of a session.</summary>
    /// <param name="snapshot">The monitor's snapshot of the nodes.</param>
    /// <param name="sinceWrite">Time since the last write of the session, or <see langword="null"/> if none exists.</param>
    /// <param name="written">The WAL position of its last write.</param>
    public int Choose(ClusterSnapshot snapshot, TimeSpan? sinceWrite, WalPosition? written)
    {
        var replicas = snapshot.Nodes.Where(n => n.Status == ConcludedStatus.Replica).ToArray();
        if (replicas.Length == 0) return snapshot.PrimaryIndex;
        bool Has(NodeState node) => written is not { } position || node.Lsn >= position.Lsn;
        var goesToReplica = (arm, fault) switch
        {
            (_, PlantedFault.FixedWindow) => !(sinceWrite < TimeSpan.FromSeconds(0.5)),
            (_, PlantedFault.UnstickAtFirstReplica) => replicas.Any(Has),
            (RoutingArm.AlwaysPrimary, _) => false,
            (RoutingArm.Timer2, _) => !(sinceWrite < TimeSpan.FromSeconds(2)),
            (RoutingArm.Timer5, _) => !(sinceWrite < TimeSpan.FromSeconds(5)),
            (RoutingArm.Timer30, _) => !(sinceWrite < TimeSpan.FromSeconds(30)),
            (RoutingArm.AllCaughtUp, _) => replicas.All(Has),
            _ => true,
        };
        if (!goesToReplica && snapshot.PrimaryIndex >= 0) return snapshot.PrimaryIndex;
        return replicas[arm == RoutingArm.RoundRobin ? _turn++ % replicas.Length : random.Next(replicas.Length)].Index;
    }
}
