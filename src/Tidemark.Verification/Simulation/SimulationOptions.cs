namespace Tidemark.Verification;

/// <summary>What a simulated world is to be like.</summary>
public sealed record SimulationOptions
{
    /// <summary>The seed from which everything is drawn. The same seed and options give the same run, to the last bit.</summary>
    public int Seed { get; init; }

    /// <summary>
    /// How far behind replicas run. <see cref="LagProfile.Mixed"/> by default, which brings every fault of servers and networks with it.
    /// </summary>
    public LagProfile Profile { get; init; } = LagProfile.Mixed;

    /// <summary>Who decides where reads go. Tidemark by default.</summary>
    public RoutingArm Arm { get; init; } = RoutingArm.Tidemark;

    /// <summary>A defect to plant, to see it caught. None by default.</summary>
    public PlantedFault Fault { get; init; } = PlantedFault.None;

    /// <summary>Where to tell what happens, line by line; nowhere by default.</summary>
    public TextWriter? Trace { get; init; }
}
