using Tidemark.Verification;

namespace Tidemark;

public sealed class SimulationCampaignTests
{
    // Violates guarantees in nearly every run, so that the results can be compared.
    private static readonly SimulationCampaignOptions Careless = new() { Seeds = 12, Arm = RoutingArm.RandomReplica };

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void The_result_of_a_campaign_does_not_depend_on_its_parallelism()
    {
        var alone = SimulationCampaign.Run(Careless with { Parallelism = 1 }, Stop);
        var together = SimulationCampaign.Run(Careless with { Parallelism = 4 }, Stop);

        alone.FailingSeedCount.ShouldBeGreaterThan(0);
        together.FailingSeeds.ShouldBe(alone.FailingSeeds);
        (together.Operations, together.Reads, together.OnReplicas, together.Violations)
            .ShouldBe((alone.Operations, alone.Reads, alone.OnReplicas, alone.Violations));
    }

    [Fact]
    public void The_totals_are_the_sums_over_the_seeds()
    {
        var runs = Enumerable.Range(5, 3).Select(seed => SimulationCampaign.Run(Careless with { FirstSeed = seed, Seeds = 1 }, Stop))
            .ToList();
        var sum = SimulationCampaign.Run(Careless with { FirstSeed = 5, Seeds = 3 }, Stop);

        sum.Operations.ShouldBe(runs.Sum(run => run.Operations));
        sum.CouldBeOnReplicas.ShouldBe(runs.Sum(run => run.CouldBeOnReplicas));
        sum.FailingSeeds.ShouldBe(runs.SelectMany(run => run.FailingSeeds));
        sum.ViolationsPer10000Reads.ShouldBe(10_000.0 * runs.Sum(run => run.Violations) / runs.Sum(run => run.Reads));
    }

    [Fact]
    public void A_hunt_ends_with_the_smallest_seed_that_detects_the_fault()
    {
        var options = new SimulationCampaignOptions { Seeds = 300, FirstSeed = 3 };
        var hunt = SimulationCampaign.Hunt(PlantedFault.GateAsObservedWatermark, options with { Parallelism = 4 }, Stop);

        hunt.IsCaught.ShouldBeTrue();
        hunt.Seeds.ShouldBe(hunt.By!.Seed - 3 + 1);
        SimulationCampaign.Hunt(PlantedFault.GateAsObservedWatermark, options with { Parallelism = 1 }, Stop).ShouldBe(hunt);
        SimulationCampaign.Hunt(PlantedFault.GateAsObservedWatermark, options with { Seeds = Math.Max(1, hunt.Seeds - 1) }, Stop)
            .IsCaught.ShouldBe(hunt.Seeds == 1);
    }

    [Fact]
    public void A_campaign_that_stops_at_its_first_finding_runs_few_more_seeds()
    {
        var result = SimulationCampaign.Run(Careless with { Seeds = 100_000, Parallelism = 2, StopAtFirstFinding = true }, Stop);
        result.Seeds.ShouldBeInRange(result.FailingSeeds[0].Seed, result.FailingSeeds[0].Seed + 2);
    }

    [Fact]
    public void A_cancelled_campaign_finishes_the_current_runs_and_starts_no_others()
    {
        using var stop = new CancellationTokenSource();
        var result = SimulationCampaign.Run(
            Careless with { Seeds = 100_000, Parallelism = 2, Progress = new Reported(now => { if (now.Seeds == 3) stop.Cancel(); }) },
                stop.Token);

        result.IsCancelled.ShouldBeTrue();
        result.Seeds.ShouldBeInRange(3, 4);
        result.Operations.ShouldBeGreaterThan(0);
    }

    [Theory]
    [InlineData(1, 5)]
    [InlineData(2, 3)]
    [InlineData(0, 0)]
    public void Every_nth_seed_is_run_twice(int every, int expected) =>
        SimulationCampaign.Run(Careless with { Seeds = 5, CheckDeterminismEvery = every, Arm = RoutingArm.AlwaysPrimary }, Stop)
            .DeterminismChecked.ShouldBe(expected);

    [Fact]
    public void Progress_reports_each_seed_once_and_never_decreases()
    {
        List<SimulationCampaignProgress> reported = [];
        var result = SimulationCampaign.Run(Careless with { Parallelism = 3, Progress = new Reported(reported.Add) }, Stop);

        reported.Select(now => now.Seeds).ShouldBe(Enumerable.Range(1, 12));
        reported[^1].Operations.ShouldBe(result.Operations);
        reported[^1].FailingSeeds.ShouldBe(result.FailingSeedCount);
    }

    [Theory]
    [InlineData(0, 1, 1)]
    [InlineData(1, 0, 1)]
    [InlineData(2, 1, int.MaxValue)]
    public void Options_out_of_their_bounds_are_refused(int seeds, int parallelism, int firstSeed) =>
        Should.Throw<ArgumentOutOfRangeException>(() =>
            SimulationCampaign.Run(new() { Seeds = seeds, Parallelism = parallelism, FirstSeed = firstSeed }, Stop));

    private sealed class Reported(Action<SimulationCampaignProgress> report) : IProgress<SimulationCampaignProgress>
    {
        public void Report(SimulationCampaignProgress value) => report(value);
    }
}
