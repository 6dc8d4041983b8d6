using static Tidemark.ConcludedStatus;
using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class SnapshotRulesTests
{
    [Fact]
    public void The_one_node_that_is_not_in_recovery_is_the_primary()
    {
        var snapshot = Of(Replica(), Primary(), Replica());

        snapshot.Statuses().ShouldBe([ConcludedStatus.Replica, ConcludedStatus.Primary, ConcludedStatus.Replica]);
        snapshot.Primary!.Name.ShouldBe("pg-2");
        snapshot.IsComplete.ShouldBeTrue();
    }

    [Fact]
    public void The_primary_is_known_before_the_other_nodes_have_answered()
    {
        var snapshot = Of(Primary(), null, null);

        snapshot.PrimaryIndex.ShouldBe(0);
        snapshot.IsComplete.ShouldBeFalse();
        snapshot.SystemIdentifier.ShouldBe(0UL);
    }

    [Fact]
    public void The_primary_on_the_later_timeline_wins()
    {
        var snapshot = Of(Primary(position: 900, timeline: 1), Primary(position: 500, timeline: 2));

        snapshot.Statuses().ShouldBe([SupersededPrimary, ConcludedStatus.Primary]);
        snapshot.LatestTimeline.ShouldBe(2u);
    }

    [Fact]
    public void Two_primaries_on_one_timeline_are_both_refused()
    {
        var rivals = Of(Primary(timeline: 2), Primary(timeline: 2), Replica(timeline: 2));

        rivals.Statuses().ShouldBe([RivalPrimary, RivalPrimary, ConcludedStatus.Replica]);
        rivals.Primary.ShouldBeNull();
        rivals.Then(1, Silence).Primary!.Name.ShouldBe("pg-1");
    }

    [Fact]
    public void An_old_primary_that_comes_back_is_never_primary_again()
    {
        var promoted = Of(Primary(timeline: 1), Replica(timeline: 1)).Then(0, Silence).Then(1, Primary(timeline: 2));
        promoted.Primary!.Name.ShouldBe("pg-2");

        var bothThere = promoted.Then(0, Primary(timeline: 1));
        bothThere.Primary!.Name.ShouldBe("pg-2");

        var onlyTheOldOne = bothThere.Then(1, Silence);
        onlyTheOldOne.Primary.ShouldBeNull();
        onlyTheOldOne.Statuses().ShouldBe([SupersededPrimary, Unreachable]);
    }

    [Theory]
    [InlineData(150, 1, false)]
    [InlineData(151, 1, true)]
    [InlineData(900, 2, false)]
    [InlineData(900, 0, false)]
    public void A_replica_that_replayed_abandoned_wal_serves_nothing(ulong position, uint timeline, bool isLeftBehind)
    {
        var promoted = Primary(position: 200, timeline: 2) with { Forks = [new Fork(1, 2, At(150), At(150))] };
        var snapshot = Of(Primary(position: 300), Replica(position: 150), Replica(position: 100)).Then(0, Silence).Then(1, promoted)
            .Then(2, Replica(position, timeline) with { Epoch = Run(2) });

        snapshot.Statuses().ShouldBe([Unreachable, ConcludedStatus.Primary, isLeftBehind ? LeftBehind : ConcludedStatus.Replica]);
    }

    [Fact]
    public void A_replica_that_is_left_behind_is_known_as_soon_as_the_new_primary_is()
    {
        var promoted = Primary(position: 200, timeline: 2) with { Forks = [new Fork(1, 2, At(150), At(150))] };

        Of(Primary(position: 300), Replica(position: 150), Replica(position: 300)).Then(1, promoted).Statuses()
            .ShouldBe([SupersededPrimary, ConcludedStatus.Primary, LeftBehind]);
    }

    [Fact]
    public void A_primary_whose_replica_follows_a_later_timeline_is_superseded()
    {
        // pg-2 was promoted and is briefly unreachable. pg-3 follows timeline 2, which proves that pg-1 was left behind.
        var snapshot = Of(Primary(timeline: 1), Silence, Replica(timeline: 2));

        snapshot.Statuses().ShouldBe([SupersededPrimary, Unreachable, ConcludedStatus.Replica]);
        snapshot.Primary.ShouldBeNull();
        snapshot.LatestTimeline.ShouldBe(2u);
    }

    [Fact]
    public void A_replica_of_another_cluster_does_not_supersede_the_primary()
    {
        Of(Primary(), Replica(), Replica(timeline: 9, identifier: Theirs)).Statuses()
            .ShouldBe([ConcludedStatus.Primary, ConcludedStatus.Replica, ForeignCluster]);
    }

    [Fact]
    public void A_demoted_primary_is_a_replica_at_once()
    {
        var snapshot = Of(Primary(), Replica()).Then(0, Replica());

        snapshot.Primary.ShouldBeNull();
        snapshot.Nodes[0].Status.ShouldBe(ConcludedStatus.Replica);
    }

    [Fact]
    public void The_cluster_is_that_of_most_nodes()
    {
        Of(Primary(identifier: Theirs), Primary(), Replica()).Statuses()
            .ShouldBe([ForeignCluster, ConcludedStatus.Primary, ConcludedStatus.Replica]);
    }

    [Fact]
    public void Where_no_cluster_has_most_nodes_it_is_that_of_the_only_primary()
    {
        Of(Replica(identifier: Theirs), Primary()).Statuses().ShouldBe([ForeignCluster, ConcludedStatus.Primary]);
    }

    [Fact]
    public void Primaries_of_two_clusters_are_both_refused()
    {
        var snapshot = Of(Primary(), Primary(identifier: Theirs));

        snapshot.Statuses().ShouldBe([ForeignCluster, ForeignCluster]);
        snapshot.Primary.ShouldBeNull();
        snapshot.SystemIdentifier.ShouldBe(0UL);
    }

    [Fact]
    public void Nodes_that_differ_are_refused_even_before_all_have_answered()
    {
        var halfway = Of(Primary(identifier: Theirs), Replica(), null);
        halfway.Statuses().ShouldBe([ForeignCluster, ForeignCluster, NotProbed]);

        halfway.Then(2, Replica()).Statuses().ShouldBe([ForeignCluster, ConcludedStatus.Replica, ConcludedStatus.Replica]);
    }

    [Fact]
    public void The_identity_does_not_change_with_later_responses()
    {
        var found = Of(Primary(), Replica(), Silence).Then(0, Silence);
        found.SystemIdentifier.ShouldBe(Ours);

        found.Then(2, Primary(identifier: Theirs)).Then(1, Primary(identifier: Theirs)).Statuses()
            .ShouldBe([Unreachable, ForeignCluster, ForeignCluster]);
    }

    [Fact]
    public void A_majority_counts_though_its_nodes_did_not_answer_at_the_same_time()
    {
        var foreign = Of(Primary(identifier: Theirs), Silence, Silence);
        foreign.SystemIdentifier.ShouldBe(Theirs);
        foreign.IsIdentitySettled.ShouldBeFalse();

        var contradicted = foreign.Then(1, Replica()).Then(1, Silence).Then(2, Replica());

        contradicted.RivalIdentifier.ShouldBe(Ours);
        contradicted.PrimaryIndex.ShouldBe(-1);
    }

    [Fact]
    public void A_timeline_of_another_cluster_does_not_supersede_the_primary()
    {
        var snapshot = Of(Primary(timeline: 40, identifier: Theirs), Primary(), Replica());

        snapshot.Primary!.Name.ShouldBe("pg-2");
        snapshot.LatestTimeline.ShouldBe(1u);
    }

    [Fact]
    public void Aurora_serves_nothing_and_has_no_say_in_the_identity()
    {
        var snapshot = Of(OnAurora, Primary());

        snapshot.Statuses().ShouldBe([ConcludedStatus.Aurora, ConcludedStatus.Primary]);
        snapshot.SystemIdentifier.ShouldBe(Ours);
    }

    [Fact]
    public void A_failed_node_keeps_its_last_position_but_serves_nothing()
    {
        var before = Of(Primary(position: 100), Replica(position: 100));
        before.Nodes[1].KeepsUp.ShouldBeTrue();

        var node = before.Then(1, Silence, probeNumber: 9).Nodes[1];
        node.Status.ShouldBe(Unreachable);
        node.Failure.ShouldBe("connection refused");
        node.Lsn.ShouldBe(At(100));
        node.KeepsUp.ShouldBeFalse();
        node.Role.ShouldBe(NodeRole.Unknown);
        node.ProbeNumber.ShouldBe(1, "only an answered probe proves anything");
    }

    [Fact]
    public void An_answer_clears_the_failure_and_carries_its_probe()
    {
        var node = Of(Primary(), Silence).Then(1, Replica(position: 70), probeNumber: 5, sentAt: 33).Nodes[1];

        node.Failure.ShouldBeNull();
        (node.Lsn, node.ProbeNumber, node.SampledAt).ShouldBe((At(70), 5L, 33L));
    }

    [Theory]
    [InlineData(100, true)]
    [InlineData(101, true)]
    [InlineData(99, false)]
    public void A_replica_keeps_up_that_has_what_the_primary_had_one_probe_earlier(ulong replayed, bool keepsUp) =>
        Of(Primary(position: 100), Replica(replayed)).Nodes[1].KeepsUp.ShouldBe(keepsUp);

    [Fact]
    public void A_receiver_that_is_gone_for_a_moment_leaves_the_timeline_as_it_was()
    {
        var before = Of(Primary(timeline: 3), Replica(timeline: 3));

        before.Then(1, Replica(timeline: 0)).Nodes[1].Timeline.ShouldBe(3u);
        before.Then(1, Replica(timeline: 0) with { Epoch = Run(2) }).Nodes[1].Timeline.ShouldBe(0u, "another epoch of the server");
    }

    [Fact]
    public void A_node_that_answers_changes_no_other_node()
    {
        var before = Of(Primary(), Replica(position: 50), Replica(position: 60));
        var after = before.Then(1, Replica(position: 80));

        after.Nodes[0].ShouldBe(before.Nodes[0]);
        after.Nodes[2].ShouldBe(before.Nodes[2]);
    }

    [Fact]
    public void A_promotion_is_bracketed_by_the_probes_before_and_after_it()
    {
        var chain = Of(Primary(200), Replica(150)).Then(0, Silence).Then(1, Primary(210, timeline: 2)).Chain;

        SurvivalOf(chain, 150).ShouldBe(Survival.Holds);
        SurvivalOf(chain, 151).ShouldBe(Survival.MayBeLost);
        SurvivalOf(chain, 211).ShouldBe(Survival.Lost);
    }

    [Fact]
    public void A_promotion_first_reported_by_a_replica_is_bracketed_too()
    {
        var reported = Of(Primary(200), Replica(150), Replica(150)).Then(0, Silence).Then(2, Replica(205, timeline: 2));
        reported.LatestTimeline.ShouldBe(2u);
        reported.Primary.ShouldBeNull();

        var chain = reported.Then(1, Primary(210, timeline: 2)).Chain;
        SurvivalOf(chain, 150).ShouldBe(Survival.Holds);
        SurvivalOf(chain, 211).ShouldBe(Survival.Lost);
    }

    [Fact]
    public void A_promoted_node_without_earlier_samples_proves_nothing()
    {
        var chain = Of(Primary(200), Silence).Then(0, Silence).Then(1, Primary(210, timeline: 2)).Chain;

        SurvivalOf(chain, 1).ShouldBe(Survival.MayBeLost);
        SurvivalOf(chain, 211).ShouldBe(Survival.Lost);
    }

    [Fact]
    public void Two_promotions_in_a_row_make_a_chain_through_both()
    {
        var snapshot = Of(Primary(200), Replica(150), Replica(150))
            .Then(0, Silence).Then(1, Primary(210, timeline: 2)).Then(2, Replica(300, timeline: 2))
            .Then(1, Silence).Then(2, Primary(310, timeline: 3));

        SurvivalOf(snapshot.Chain, 150, current: 3).ShouldBe(Survival.Holds);
        SurvivalOf(snapshot.Chain, 300, timeline: 2, current: 3).ShouldBe(Survival.Holds);
        SurvivalOf(snapshot.Chain, 301, timeline: 2, current: 3).ShouldBe(Survival.MayBeLost);
        SurvivalOf(snapshot.Chain, 311, timeline: 2, current: 3).ShouldBe(Survival.Lost);
    }

    [Fact]
    public void A_node_that_skipped_a_timeline_proves_nothing_about_its_parent()
    {
        // pg-3 was last observed on timeline 1, where its position proves nothing about timeline 2.
        var chain = Of(Primary(200), Replica(150), Replica(180))
            .Then(0, Silence).Then(1, Primary(210, timeline: 2)).Then(1, Silence).Then(2, Primary(310, timeline: 3)).Chain;

        SurvivalOf(chain, 160, timeline: 2, current: 3).ShouldBe(Survival.MayBeLost);
        SurvivalOf(chain, 311, timeline: 2, current: 3).ShouldBe(Survival.Lost);
    }

    [Fact]
    public void Exact_forks_win_over_a_bracket()
    {
        var chain = Of(Primary(200), Replica(150)).Then(0, Silence).Then(1, Reported(Primary(210, timeline: 2), at: 160)).Chain;

        SurvivalOf(chain, 160).ShouldBe(Survival.Holds);
        SurvivalOf(chain, 161).ShouldBe(Survival.Lost);
        chain.BeginOf(2).ShouldBe(At(160));
    }

    [Fact]
    public void The_history_of_a_primary_counts_before_other_nodes_respond() =>
        SurvivalOf(Of(Reported(Primary(210, timeline: 2), at: 160), null).Chain, 161).ShouldBe(Survival.Lost);

    [Fact]
    public void The_history_of_a_rival_counts_once_it_is_the_primary()
    {
        var rivals = Of(Primary(210, timeline: 2), Reported(Primary(210, timeline: 2), at: 160));
        SurvivalOf(rivals.Chain, 161).ShouldBe(Survival.MayBeLost, "both are refused");

        SurvivalOf(rivals.Then(0, Silence).Chain, 161).ShouldBe(Survival.Lost);
        SurvivalOf(rivals.Then(1, Primary(220, timeline: 2)).Then(0, Silence).Chain, 161)
            .ShouldBe(Survival.Lost, "it is reported once and kept");
    }

    [Fact]
    public void The_history_of_another_cluster_is_ignored()
    {
        var ours = Of(Reported(Primary(210, timeline: 2), at: 160), Replica(timeline: 2), Silence);
        var foreign = Reported(Primary(900, timeline: 2, identifier: Theirs), at: 50);

        SurvivalOf(ours.Then(2, foreign).Chain, 160).ShouldBe(Survival.Holds);
    }

    [Fact]
    public void A_crash_of_one_backend_of_the_primary_is_noted_by_its_new_statistics()
    {
        var crashed = Of(Epochs(Run(1), 100)).Then(0, Epochs(Run(1).Reset(), 120, insert: 125));

        crashed.Chain.PrimaryEpoch.ShouldBe(1);
        crashed.Primary!.PrimaryEpoch.ShouldBe(1);
        SurvivalOf(crashed.Chain, 100).ShouldBe(Survival.Holds);
        SurvivalOf(crashed.Chain, 125).ShouldBe(Survival.MayBeLost);
        SurvivalOf(crashed.Chain, 126).ShouldBe(Survival.Lost);
    }

    [Fact]
    public void A_primary_that_is_back_before_what_it_had_flushed_proves_nothing()
    {
        var rolledBack = Of(Epochs(Run(1), 200)).Then(0, Epochs(Run(2), 120, insert: 125));

        SurvivalOf(rolledBack.Chain, 100).ShouldBe(Survival.MayBeLost);
        SurvivalOf(rolledBack.Chain, 125).ShouldBe(Survival.MayBeLost);
        SurvivalOf(rolledBack.Chain, 126).ShouldBe(Survival.Lost);
        SurvivalOf(rolledBack.Chain, 200).ShouldBe(Survival.Lost);
    }

    [Fact]
    public void A_primary_that_is_back_before_what_a_replica_had_proves_nothing()
    {
        var rolledBack = Of(Epochs(Run(1), 100), Replica(200)).Then(0, Epochs(Run(2), 120), sentAt: 10);

        SurvivalOf(rolledBack.Chain, 100).ShouldBe(Survival.MayBeLost);
        rolledBack.Chain.IsRolledBackSince(0).ShouldBeTrue();
    }

    [Fact]
    public void A_diverged_replica_is_found_though_it_always_answers_before_the_primary()
    {
        var first = Of(null, null).Then(1, Replica(300), sentAt: 10, receivedAt: 11).Then(0, Primary(120), sentAt: 10, receivedAt: 12);
        first.Nodes[1].Status.ShouldBe(ConcludedStatus.Replica, "the primary may have come further since it was asked");

        var second = first.Then(1, Replica(300), sentAt: 20, receivedAt: 21).Then(0, Primary(130), sentAt: 20, receivedAt: 22);

        second.Nodes[1].Status.ShouldBe(ConcludedStatus.Diverged);
    }

    [Fact]
    public void An_unreachable_diverged_replica_is_detected_by_its_last_response()
    {
        var silent = Of(null, null).Then(1, Replica(300), sentAt: 10, receivedAt: 11).Then(1, Silence, sentAt: 20);

        silent.Then(0, Primary(120), sentAt: 20, receivedAt: 21).Then(1, Replica(300), sentAt: 30, receivedAt: 31)
            .Nodes[1].Status.ShouldBe(ConcludedStatus.Diverged);
    }

    [Fact]
    public void A_diverged_replica_that_was_restarted_serves_once_it_is_compared_again()
    {
        var diverged = Of(Primary(120), Replica(300)).Then(0, Primary(130), sentAt: 20, receivedAt: 21);
        diverged.Nodes[1].Status.ShouldBe(ConcludedStatus.Diverged);
        var restarted = diverged.Then(1, Replica(100) with { Epoch = Run(7) }, sentAt: 30, receivedAt: 31);
        restarted.Nodes[1].Status.ShouldBe(ConcludedStatus.Diverged,
            "it may have been rebuilt, or not: recovery begins at an earlier position");

        var stillAhead = restarted.Then(1, Replica(300) with { Epoch = Run(7) }, sentAt: 40, receivedAt: 41)
            .Then(0, Primary(140), sentAt: 50, receivedAt: 51);
        stillAhead.Nodes[1].Status.ShouldBe(ConcludedStatus.Diverged);
        stillAhead.Then(0, Primary(400), sentAt: 60, receivedAt: 61)
            .Nodes[1].Status.ShouldBe(ConcludedStatus.Diverged, "for the epoch in which that was seen");
        restarted.Then(0, Primary(140), sentAt: 50, receivedAt: 51).Nodes[1].Status.ShouldBe(ConcludedStatus.Replica, "a new copy");
    }

    [Fact]
    public void A_restarted_diverged_replica_that_does_not_respond_stays_diverged()
    {
        var restarted = Of(Primary(120), Replica(300)).Then(0, Primary(130), sentAt: 20, receivedAt: 21)
            .Then(1, Replica(100) with { Epoch = Run(7) }, sentAt: 30, receivedAt: 31);

        var silent = restarted.Then(1, Silence, sentAt: 40, receivedAt: 41).Then(0, Primary(140), sentAt: 50, receivedAt: 51);

        silent.Then(1, Replica(300) with { Epoch = Run(7) }, sentAt: 60, receivedAt: 61).Nodes[1].Status.ShouldBe(ConcludedStatus.Diverged);
    }

    [Fact]
    public void A_diverged_replica_stays_diverged_after_its_positions_are_hidden()
    {
        var hidden = Of(null, null).Then(1, Replica(300), sentAt: 10, receivedAt: 11)
            .Then(1, Replica(0) with { HidesPositions = true }, sentAt: 20, receivedAt: 21);
        hidden.Then(0, Primary(400), sentAt: 30, receivedAt: 31).Nodes[1].Status.ShouldBe(ConcludedStatus.Replica);

        hidden.Then(0, Primary(120), sentAt: 30, receivedAt: 31).Nodes[1].Status.ShouldBe(ConcludedStatus.Diverged);
    }

    [Fact]
    public void A_standby_after_a_page_header_or_of_another_cluster_has_not_diverged()
    {
        var header = Of(null, Replica(8192 + 24)).Then(0, Primary(8192), sentAt: 10, receivedAt: 11);
        header.Nodes[1].Status.ShouldBe(ConcludedStatus.Replica);

        var foreign = Of(Primary(100), Replica(100), Replica(9000, identifier: Theirs));
        var crashed = foreign.Then(0, Primary(120) with { Epoch = Run(2) }, sentAt: 10, receivedAt: 11);
        crashed.Chain.IsRolledBackSince(0).ShouldBeFalse();
    }

    [Fact]
    public void A_primary_first_observed_behind_a_replica_was_rolled_back()
    {
        var seen = Of(Silence, Replica(300)).Then(1, Replica(90) with { Epoch = Run(7) }, sentAt: 10, receivedAt: 11);

        var first = seen.Then(0, Primary(120), sentAt: 20, receivedAt: 21);
        first.Chain.IsRolledBackSince(0).ShouldBeTrue();
        first.Then(0, Primary(130) with { Epoch = Run(2) }, sentAt: 30, receivedAt: 31).Chain.IsRolledBackSince(1)
            .ShouldBeFalse("an ordinary crash");
        seen.Then(0, Primary(320), sentAt: 20, receivedAt: 21).Chain.IsRolledBackSince(0).ShouldBeFalse();
        seen.Then(0, Primary(120, timeline: 2), sentAt: 20, receivedAt: 21).Chain.IsRolledBackSince(0).ShouldBeFalse("a promotion");
    }

    [Fact]
    public void What_a_replica_showed_counts_as_seen_on_the_primary_after_a_rollback()
    {
        var before = Of(Epochs(Run(1), 200), Replica(200));
        var pending = new PendingPositions();
        pending.Add(new PendingObservation(new NodeEpoch(1, Run(1)), 1, before.Nodes[1].PrimaryEpoch, OnPrimary: false, Connection: null));

        var crashed = before.Then(0, Epochs(Run(2), 210, insert: 215));
        var rolledBack = before.Then(0, Epochs(Run(2), 120, insert: 125));

        pending.Validate(crashed.Primary!, crashed).ShouldBeNull();
        pending.Validate(rolledBack.Primary!, rolledBack).ShouldNotBeNull();
    }

    [Fact]
    public void A_dead_postmaster_is_noted_as_a_crash_though_probes_failed_in_between() =>
        Of(Epochs(Run(1), 100)).Then(0, Silence).Then(0, Epochs(Run(2), 120)).Chain.PrimaryEpoch.ShouldBe(1);

    [Fact]
    public void A_clean_restart_or_a_reconnect_is_not_a_crash()
    {
        Of(Epochs(Run(1), 100)).Then(0, Epochs(Run(1).Restarted(), 120)).Chain.PrimaryEpoch.ShouldBe(0);
        Of(Epochs(Run(1), 100)).Then(0, Epochs(Run(1), 120) with { Connection = 2 }).Chain.PrimaryEpoch.ShouldBe(0);
    }

    [Fact]
    public void A_crash_before_a_clean_restart_is_noted_after_both() =>
        Of(Epochs(Run(1), 100)).Then(0, Epochs(Run(1).Reset().Restarted(2), 120)).Chain.PrimaryEpoch.ShouldBe(1);

    [Theory]
    [InlineData(7, false, 0)]
    [InlineData(8, false, 1)]
    [InlineData(7, true, 1)]
    public void A_statistics_reset_that_an_unpooled_connection_survived_is_not_a_crash(long connection, bool isPooled, int crashes)
    {
        var before = Of(Epochs(Run(1), 100) with { Connection = 7, IsPooled = isPooled });

        before.Then(0, Epochs(Run(1).Reset(), 120) with { Connection = connection, IsPooled = isPooled })
            .Chain.PrimaryEpoch.ShouldBe(crashes);
    }

    [Fact]
    public void Neither_a_replica_that_crashed_nor_a_promotion_is_a_crash_of_the_primary()
    {
        Of(Epochs(Run(1), 100), Replica(100)).Then(1, Replica(50) with { Epoch = Run(2) }).Chain.PrimaryEpoch.ShouldBe(0);
        Of(Primary(200), Replica(150)).Then(0, Silence).Then(1, Epochs(Run(2), 210) with { Timeline = 2 }).Chain.PrimaryEpoch.ShouldBe(0);
    }

    [Fact]
    public void A_node_keeps_the_epoch_of_the_primary_in_which_it_was_sampled()
    {
        var before = Of(Epochs(Run(1), 100), Replica(100));
        var crashed = before.Then(0, Epochs(Run(2), 120));

        crashed.Nodes[1].PrimaryEpoch.ShouldBe(0);
        crashed.Then(1, Replica(120)).Nodes[1].PrimaryEpoch.ShouldBe(1);
    }

    [Fact]
    public void A_refused_probe_keeps_the_primary_status_but_is_not_a_sample()
    {
        var refused = Of(Primary(100), Replica(100)).Then(0, Silence with { IsRefusal = true }, probeNumber: 7).Primary.ShouldNotBeNull();

        refused.Failure.ShouldNotBeNull();
        refused.ProbeNumber.ShouldBe(1);
    }

    [Fact]
    public void A_replica_is_complete_as_of_the_latest_primary_sample_it_reached()
    {
        var snapshot = Of(Primary(100), Replica(100))
            .Then(0, Primary(200), sentAt: 1_000).Then(0, Primary(300), sentAt: 2_000);

        snapshot.Then(1, Replica(299), sentAt: 3_000).Nodes[1].CompleteAsOf.ShouldBe(1_000);
        snapshot.Then(1, Replica(300), sentAt: 3_000).Nodes[1].CompleteAsOf.ShouldBe(2_000);
        snapshot.Then(1, Replica(300, timeline: 0), sentAt: 3_000).Nodes[1].CompleteAsOf.ShouldBe(2_000, "its timeline is not shown");
        snapshot.Then(1, Replica(300, timeline: 0) with { Epoch = Run(2) }, sentAt: 3_000).Nodes[1].CompleteAsOf.ShouldBe(2_000);
        snapshot.Then(1, Replica(50), sentAt: 3_000).Nodes[1].CompleteAsOf.ShouldBeNull();
        snapshot.Nodes[0].CompleteAsOf.ShouldBeNull();
    }

    [Theory]
    [InlineData(250, true)]
    [InlineData(251, false)]
    public void A_replica_keeps_up_that_was_at_most_a_quarter_of_a_second_behind(int milliseconds, bool keepsUp)
    {
        var later = TimeSpan.FromMilliseconds(milliseconds).Ticks;

        Of(Primary(100), Replica(100)).Then(0, Primary(200), sentAt: later).Then(1, Replica(150), sentAt: later)
            .Nodes[1].KeepsUp.ShouldBe(keepsUp);
    }

    [Fact]
    public void The_position_of_a_primary_is_its_flush_position()
    {
        var snapshot = Of(Primary(100) with { InsertLsn = At(150) }, Replica(100));

        (snapshot.Primary!.Lsn, snapshot.Primary.InsertLsn).ShouldBe((At(100), At(150)));
        snapshot.Nodes[1].KeepsUp.ShouldBeTrue("no replica gets what is not flushed");
    }

    [Fact]
    public void The_replay_rate_is_measured_while_a_replica_works_and_is_behind()
    {
        var behind = Of(Primary(1_000), Replica(100)).Then(1, Replica(300), sentAt: 2 * TimeSpan.TicksPerSecond);
        behind.Nodes[1].ReplayRate.ShouldBe(100);

        behind.Then(1, Replica(400), sentAt: 3 * TimeSpan.TicksPerSecond).Nodes[1].ReplayRate.ShouldBe(100);
        behind.Then(1, Replica(350), sentAt: 3 * TimeSpan.TicksPerSecond).Nodes[1].ReplayRate.ShouldBe(50);
        behind.Then(1, Replica(300), sentAt: 3 * TimeSpan.TicksPerSecond)
            .Nodes[1].ReplayRate.ShouldBe(100, "it may have had nothing to replay");
        behind.Then(1, Replica(1_000), sentAt: 3 * TimeSpan.TicksPerSecond)
            .Nodes[1].ReplayRate.ShouldBe(100, "it may have been idle at the end");
        behind.Then(1, Replica(400), sentAt: 2 * TimeSpan.TicksPerSecond).Nodes[1].ReplayRate.ShouldBe(100, "no time has passed");
        behind.Then(1, Replica(400) with { Epoch = Run(2) }, sentAt: 3 * TimeSpan.TicksPerSecond)
            .Nodes[1].ReplayRate.ShouldBeNull("another server");
        behind.Then(1, Primary(400), sentAt: 3 * TimeSpan.TicksPerSecond).Nodes[1].ReplayRate.ShouldBeNull("it replays nothing");
    }

    [Fact]
    public void A_contradiction_about_the_identity_stays_though_nodes_change_their_answers()
    {
        var contradicted = Of(Primary(identifier: Theirs), Silence, Silence).Then(1, Replica()).Then(2, Replica());
        contradicted.RivalIdentifier.ShouldBe(Ours);

        var later = contradicted.Then(1, Replica(identifier: Theirs));
        (later.RivalIdentifier, later.IsIdentitySettled, later.PrimaryIndex).ShouldBe((Ours, false, -1));
    }

    [Fact]
    public void The_identity_is_settled_once_most_nodes_have_answered_with_it()
    {
        Of(Primary(), Silence, Silence).IsIdentitySettled.ShouldBeFalse();
        Of(Primary(), Replica(), Silence).IsIdentitySettled.ShouldBeTrue();
        Of(Primary(), Silence, Silence, Replica()).IsIdentitySettled.ShouldBeFalse("half is not most");
    }

    private static Survival SurvivalOf(TimelineChain chain, ulong position, uint timeline = 1, uint? current = null) =>
        chain.SurvivalOf(new KnownPosition(Position(position, timeline), 0), current ?? (chain.PrimaryEpoch > 0 ? 1u : 2u));

    private static ProbeAnswer Reported(ProbeAnswer answer, ulong at) =>
        answer with { Forks = [new Fork(1, answer.Timeline, At(at), At(at))] };

    private static ProbeAnswer Epochs(ServerEpoch epoch, ulong flushed, ulong? insert = null) =>
        Primary(flushed) with { Epoch = epoch, InsertLsn = At(insert ?? flushed) };
}
