namespace Tidemark.Verification;

/// <summary>Options of a simulated world.</summary>
public sealed record SimulationOptions
{
    /// <summary>The seed of all random choices. The same seed and options give exactly the same run.</summary>
    public int Seed { get; init; }

    /// <summary>Lag of the replicas. The default, <see cref="LagProfile.Mixed"/>, includes every fault of servers and networks.</summary>
    public LagProfile Profile { get; init; } = LagProfile.Mixed;

    /// <summary>The component that routes reads. Default: Tidemark.</summary>
    public RoutingArm Arm { get; init; } = RoutingArm.Tidemark;

    /// <summary>A defect to plant, to check that it is caught. Default: none.</summary>
    public PlantedFault Fault { get; init; } = PlantedFault.None;

    /// <summary>Receives the trace, one line per event. Default: <see langword="null"/>.</summary>
    public TextWriter? Trace { get; init; }
}
