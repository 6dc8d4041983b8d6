namespace Tidemark.Verification;

/// <summary>Which worlds a campaign runs.</summary>
public sealed record SimulationCampaignOptions
{
    /// <summary>The first seed. 1 by default.</summary>
    public int FirstSeed { get; init; } = 1;

    /// <summary>
    /// How many seeds, one after the other from the first. 1,000 by default; at least 1, and the last seed is no greater than
    /// <see cref="int.MaxValue"/>.
    /// </summary>
    public int Seeds { get; init; } = 1000;

    /// <summary>How far behind replicas run. <see cref="LagProfile.Mixed"/> by default.</summary>
    public LagProfile Profile { get; init; } = LagProfile.Mixed;

    /// <summary>Who decides where reads go. Tidemark by default.</summary>
    public RoutingArm Arm { get; init; } = RoutingArm.Tidemark;

    /// <summary>A defect to plant in every world. None by default.</summary>
    public PlantedFault Fault { get; init; } = PlantedFault.None;

    /// <summary>How many worlds run at a time, each on a thread of its own. The number of processors by default; at least 1.</summary>
    public int Parallelism { get; init; } = Environment.ProcessorCount;

    /// <summary>One seed of so many is run twice, to see the same run again. 20 by default; 0: none is.</summary>
    public int CheckDeterminismEvery { get; init; } = 20;

    /// <summary>
    /// Stop at the first seed that finds something: it is the smallest that does, whatever runs at the same time. Off by default.
    /// </summary>
    public bool StopAtFirstFinding { get; init; }

    /// <summary>Is told after each seed, in the order in which they end, on the threads of the campaign. Nobody by default.</summary>
    public IProgress<SimulationCampaignProgress>? Progress { get; init; }

    /// <summary>Measures how long it takes.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    internal SimulationOptions World(int seed) => new() { Seed = seed, Profile = Profile, Arm = Arm, Fault = Fault };
}
