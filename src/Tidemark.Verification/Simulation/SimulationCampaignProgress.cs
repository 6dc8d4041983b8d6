namespace Tidemark.Verification;

/// <summary>How far a campaign is.</summary>
/// <param name="Seeds">Seeds that have been run.</param>
/// <param name="OfSeeds">Seeds that are to be run.</param>
/// <param name="Operations">Reads and writes that ended in them.</param>
/// <param name="FailingSeeds">Seeds that found something.</param>
public readonly record struct SimulationCampaignProgress(int Seeds, int OfSeeds, long Operations, int FailingSeeds);
