namespace Tidemark.Verification;

/// <summary>Options that determine the worlds of a campaign.</summary>
public sealed record SimulationCampaignOptions
{
    /// <summary>The first seed. Default: 1.</summary>
    public int FirstSeed { get; init; } = 1;

    /// <summary>
    /// Number of consecutive seeds, at least 1. The last seed must not exceed <see cref="int.MaxValue"/>. Default: 1,000.
    /// </summary>
    public int Seeds { get; init; } = 1000;

    /// <summary>Lag of the replicas. Default: <see cref="LagProfile.Mixed"/>.</summary>
    public LagProfile Profile { get; init; } = LagProfile.Mixed;

    /// <summary>The component that routes reads. Default: Tidemark.</summary>
    public RoutingArm Arm { get; init; } = RoutingArm.Tidemark;

    /// <summary>A defect to plant in every world. Default: none.</summary>
    public PlantedFault Fault { get; init; } = PlantedFault.None;

    /// <summary>Number of worlds that run at a time, each on a thread of its own. At least 1. Default: the number of processors.</summary>
    public int Parallelism { get; init; } = Environment.ProcessorCount;

    /// <summary>Runs every n-th seed twice, to check that both runs are the same. If 0, no seed is run twice. Default: 20.</summary>
    public int CheckDeterminismEvery { get; init; } = 20;

    /// <summary>
    /// Whether to stop at the first seed with a finding. This is the smallest such seed, regardless of parallelism. Default:
    /// <see langword="false"/>.
    /// </summary>
    public bool StopAtFirstFinding { get; init; }

    /// <summary>
    /// Receives the progress after each seed, in the order in which seeds end, on the threads of the campaign. Default:
    /// <see langword="null"/>.
    /// </summary>
    public IProgress<SimulationCampaignProgress>? Progress { get; init; }

    /// <summary>The clock that measures the run time.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    internal SimulationOptions World(int seed) => new() { Seed = seed, Profile = Profile, Arm = Arm, Fault = Fault };
}
