using Tidemark.Verification;

namespace Tidemark.Cli.Simulate;

/// <summary>The results of campaigns. The sums are those of one policy: Tidemark if it was run.</summary>
internal sealed record CampaignRecord
{
    public required RoutingArm Policy { get; init; }

    public required PlantedFault Fault { get; init; }

    public required int Seeds { get; init; }

    public required long Operations { get; init; }

    public required long Reads { get; init; }

    public required long Violations { get; init; }

    public required IReadOnlyDictionary<ViolationKind, long> ViolationsByKind { get; init; }

    public required long BrokenInvariants { get; init; }

    public required long LostWrites { get; init; }

    public required long LostWritesUnreported { get; init; }

    public required IReadOnlyDictionary<LagProfile, double?> OffloadEfficiency { get; init; }

    public required int DeterminismChecked { get; init; }

    public required int FailingSeedCount { get; init; }

    public required IReadOnlyList<FailingSeedRecord> FailingSeeds { get; init; }

    public required double Seconds { get; init; }

    public required double OperationsPerSecondAndCore { get; init; }

    public required bool IsCancelled { get; init; }

    public required IReadOnlyList<CellRecord> Cells { get; init; }

    public static CampaignRecord Of(IReadOnlyList<SimulationCampaignResult> results)
    {
        var policy = results.Any(result => result.Options.Arm == RoutingArm.Tidemark) ? RoutingArm.Tidemark : results[0].Options.Arm;
        var own = results.Where(result => result.Options.Arm == policy).ToList();
        var seconds = own.Sum(result => result.Elapsed.TotalSeconds);
        return new CampaignRecord
        {
            Policy = policy,
            Fault = own[0].Options.Fault,
            Seeds = own.Sum(result => result.Seeds),
            Operations = own.Sum(result => result.Operations),
            Reads = own.Sum(result => result.Reads),
            Violations = own.Sum(result => result.Violations),
            ViolationsByKind = own.SelectMany(result => result.ViolationsByKind).GroupBy(kind => kind.Key)
                .ToDictionary(kind => kind.Key, kind => kind.Sum(count => count.Value)),
            BrokenInvariants = own.Sum(result => result.BrokenInvariants),
            LostWrites = own.Sum(result => result.LostWrites),
            LostWritesUnreported = own.Sum(result => result.LostWritesUnreported),
            OffloadEfficiency = own.ToDictionary(result => result.Options.Profile, result => CellRecord.Of(result).OffloadEfficiency),
            DeterminismChecked = own.Sum(result => result.DeterminismChecked),
            FailingSeedCount = own.Sum(result => result.FailingSeedCount),
            FailingSeeds =
                [.. own.SelectMany(result =>
                result.FailingSeeds.Select(seed =>
                new FailingSeedRecord(seed.Seed, policy, result.Options.Profile, seed.Finding, seed.Text)))],
            Seconds = Math.Round(seconds, 3),
            OperationsPerSecondAndCore = seconds > 0
                ? Math.Round(own.Sum(result => result.Operations) / seconds / own[0].Options.Parallelism) : 0,
            IsCancelled = results.Any(result => result.IsCancelled),
            Cells = [.. results.Select(CellRecord.Of)],
        };
    }
}
