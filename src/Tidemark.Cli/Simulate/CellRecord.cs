using Tidemark.Verification;

namespace Tidemark.Cli.Simulate;

/// <summary>One policy under one profile.</summary>
internal sealed record CellRecord(
    RoutingArm Policy, LagProfile Profile, int Seeds, long Operations, long Reads, long Violations, double? OffloadEfficiency,
        double? ShareOnReplicas, double? ViolationsPer10000Reads)
{
    public static CellRecord Of(SimulationCampaignResult result) => new(
        result.Options.Arm, result.Options.Profile, result.Seeds, result.Operations, result.Reads, result.Violations,
        Rounded(result.OffloadEfficiency), Rounded(result.ShareOnReplicas), Rounded(result.ViolationsPer10000Reads));

    private static double? Rounded(double? value) => value is { } number ? Math.Round(number, 4) : null;
}
