namespace Tidemark.Verification;

/// <summary>The progress of a campaign.</summary>
/// <param name="Seeds">Number of seeds that have been run.</param>
/// <param name="OfSeeds">Number of seeds to run.</param>
/// <param name="Operations">Number of reads and writes that ended in them.</param>
/// <param name="FailingSeeds">Number of seeds with a finding.</param>
public readonly record struct SimulationCampaignProgress(int Seeds, int OfSeeds, long Operations, int FailingSeeds);
