namespace Tidemark.Verification;

/// <summary>
/// The short version of <c>tidemark simulate</c>: worlds with all kinds of faults, and each known defect, which must be caught. The command
/// runs thousands of worlds and produces the figures in docs/guarantees.md.
/// </summary>
public sealed class SimulationTests
{
    [Fact]
    public void Two_hundred_worlds_violate_no_guarantee_and_no_invariant()
    {
        var result = SimulationCampaign.Run(new SimulationCampaignOptions { Seeds = 200 }, TestContext.Current.CancellationToken);

        result.FailingSeeds.ShouldBeEmpty();
        result.Operations.ShouldBeGreaterThan(100_000);
        result.DeterminismChecked.ShouldBeGreaterThan(5);
    }

    // Each search begins shortly before a seed that catches the fault, so that the test takes seconds. From the first seed on, the command
    // takes minutes.
    [Theory]
    [InlineData(PlantedFault.PositionBeforeCommit, 1)]
    [InlineData(PlantedFault.FlushForAsynchronousCommit, 1)]
    [InlineData(PlantedFault.PageHeaderNotNormalised, 30)]
    [InlineData(PlantedFault.GateAsObservedWatermark, 1)]
    [InlineData(PlantedFault.TokenOverwrittenByOlder, 1)]
    [InlineData(PlantedFault.BadTokenMeansFresh, 1)]
    [InlineData(PlantedFault.RequirementDroppedOnRetry, 1)]
    [InlineData(PlantedFault.NodeListChangedUnderDecision, 1)]
    [InlineData(PlantedFault.EpochByStartTime, 1)]
    [InlineData(PlantedFault.PositionsWithoutTimeline, 1)]
    [InlineData(PlantedFault.NullLagMeansZero, 1)]
    [InlineData(PlantedFault.ReceivedMeansCaughtUp, 1)]
    [InlineData(PlantedFault.UnstickAtFirstReplica, 1)]
    [InlineData(PlantedFault.NewNodeMeansHealthy, 1)]
    [InlineData(PlantedFault.PositionsComparedAsText, 1)]
    [InlineData(PlantedFault.RoleFromFrozenPosition, 1)]
    [InlineData(PlantedFault.FixedWindow, 1)]
    [InlineData(PlantedFault.SampleBeforeEvent, 1)]
    [InlineData(PlantedFault.ResolvedOnAnotherTimeline, 1)]
    [InlineData(PlantedFault.PrimaryReadsLeaveNoWatermark, 1)]
    [InlineData(PlantedFault.DeadTimelineAccepted, 225)]
    [InlineData(PlantedFault.StalenessTimedAtReceipt, 1)]
    [InlineData(PlantedFault.HedgeLoserWins, 1)]
    [InlineData(PlantedFault.ReceivedBoundsObserved, 1)]
    [InlineData(PlantedFault.PrimaryErrorLeavesNoWatermark, 1)]
    [InlineData(PlantedFault.SegmentHeaderAnywhere, 1)]
    [InlineData(PlantedFault.WritableReadPool, 1)]
    [InlineData(PlantedFault.YoungConnectionProven, 1)]
    [InlineData(PlantedFault.AcknowledgedAtOldPosition, 1)]
    [InlineData(PlantedFault.PositionInOpenTransaction, 1)]
    [InlineData(PlantedFault.BalancedEpochNotChecked, 1)]
    [InlineData(PlantedFault.HiddenWriteRetried, 18)]
    [InlineData(PlantedFault.OneCookieName, 29)]
    [InlineData(PlantedFault.HiddenTimelineTrusted, 183)]
    [InlineData(PlantedFault.DivergedReplicaServes, 70)]
    [InlineData(PlantedFault.RestartTakenForCrash, 65)]
    [InlineData(PlantedFault.ReaderNotedAtItsEnd, 1)]
    [InlineData(PlantedFault.IdentityPinnedByForeigner, 1)]
    [InlineData(PlantedFault.CrashBehindPoolerMissed, 350)]
    public void A_planted_fault_is_caught(PlantedFault fault, int from)
    {
        var hunt = SimulationCampaign.Hunt(fault, new SimulationCampaignOptions { FirstSeed = from, Seeds = 25 },
            TestContext.Current.CancellationToken);

        hunt.IsCaught.ShouldBeTrue();
    }

    [Fact]
    public void Every_fault_is_planted_by_a_test()
    {
        var planted = typeof(SimulationTests).GetMethod(nameof(A_planted_fault_is_caught))!.GetCustomAttributesData()
            .Where(a => a.AttributeType == typeof(InlineDataAttribute))
            .Select(a =>
                (PlantedFault)((IReadOnlyList<System.Reflection.CustomAttributeTypedArgument>)a.ConstructorArguments[0].Value!)[0].Value!);

        planted.Order().ShouldBe(Enum.GetValues<PlantedFault>().Where(f => f != PlantedFault.None));
    }

    [Theory]
    [InlineData(LagProfile.Healthy, 0.99)]
    [InlineData(LagProfile.Stalled, 0.97)]
    [InlineData(LagProfile.Failover, 0.95)]
    public void Replicas_serve_nearly_every_read_that_an_oracle_would_send_them(LagProfile profile, double least)
    {
        var run = SimulatedCluster.Run(new SimulationOptions { Seed = 1, Profile = profile });

        run.IsClean.ShouldBeTrue();
        ((double)run.OnReplicas / run.CouldBeOnReplicas).ShouldBeGreaterThan(least);
    }

    [Fact]
    public void A_random_replica_violates_guarantees_in_the_same_world()
    {
        var run = SimulatedCluster.Run(new SimulationOptions { Seed = 1, Profile = LagProfile.Stalled, Arm = RoutingArm.RandomReplica });

        run.Verdict.ReadYourWrites.ShouldBeGreaterThan(0);
        run.Verdict.MonotonicReads.ShouldBeGreaterThan(0);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(17)]
    public void A_seed_gives_the_same_run_twice(int seed) =>
        SimulatedCluster.Run(new SimulationOptions { Seed = seed })
            .TraceHash.ShouldBe(SimulatedCluster.Run(new SimulationOptions { Seed = seed }).TraceHash);
}
