using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class RouterTests
{
    private static readonly string[] Names = ["pg-1", "pg-2", "pg-3", "pg-4"];

    /// <summary>The conditions of a read, the state of the nodes, and the expected node and reason.</summary>
    public static TheoryData<string, ReadOf, object?[], string?, RouteReason> Decisions => new()
    {
        { "any replica", new(), [Primary(), Replica()], "pg-2", RouteReason.AnyReplica },
        { "no replica responds", new(), [Primary(), Silence], "pg-1", RouteReason.NoReplicaCanServe },
        { "only a primary", new(), [Primary()], "pg-1", RouteReason.NoReplicaCanServe },
        { "a replica serves reads without a primary", new(), [Silence, Replica()], "pg-2", RouteReason.AnyReplica },
        { "no node probed yet", new(), [null, null], null, RouteReason.None },
        { "no node responds", new(), [Silence, Silence], null, RouteReason.None },

        { "exactly the position", new(Include: 100), [Primary(100), Replica(100)], "pg-2", RouteReason.ReplicaHasPosition },
        { "one byte short, falling behind", new(Include: 100), [Primary(100), Replica(99)], "pg-1", RouteReason.NoReplicaCanServe },
        { "short but keeping up", new(Include: 150), [Primary(100), Replica(120)], "pg-2", RouteReason.ReplicaToVerify },
        { "proven before probable", new(Include: 150), [Primary(100), Replica(120), Replica(150)], "pg-3", RouteReason.ReplicaHasPosition },
        { "another timeline with a later LSN", new(Include: 100), [Primary(100), Replica(9_000, timeline: 0) with { Timeline = 7 }], null,
            RouteReason.None },
        { "a hidden timeline", new(Include: 100), [Primary(100), Replica(100, timeline: 0)], "pg-2",
            RouteReason.ReplicaHasPosition },
        { "behind and no primary", new(Include: 100), [Silence, Replica(99)], null, RouteReason.None },

        { "strong", new(Because: RouteReason.StrongConsistency), [Primary(), Replica()], "pg-1", RouteReason.StrongConsistency },
        { "strong without a primary", new(Because: RouteReason.StrongConsistency), [Silence, Replica()], null, RouteReason.None },
        { "position of own writes unknown", new(Because: RouteReason.WrittenPositionUnknown), [Primary(), Replica()], "pg-1",
            RouteReason.WrittenPositionUnknown },
        { "a write", new(Because: RouteReason.Write), [Primary(), Replica()], "pg-1", RouteReason.Write },
        { "a write without a primary", new(Because: RouteReason.Write), [Silence, Replica()], null, RouteReason.None },
        { "a write with rivals", new(Because: RouteReason.Write), [Primary(), Primary()], null, RouteReason.None },
        { "a write after the primary failed", new(Because: RouteReason.Write, Failed: 0b1), [Primary(), Replica()], null,
            RouteReason.None },
        { "retried", new(Because: RouteReason.RetriedOnPrimary), [Primary(), Replica()], "pg-1", RouteReason.RetriedOnPrimary },

        { "named replica", new(OnNode: "PG-3"), [Primary(), Replica(), Replica()], "pg-3", RouteReason.NamedNode },
        { "named primary", new(OnNode: "pg-1"), [Primary(), Replica()], "pg-1", RouteReason.NamedNode },
        { "named and unreachable", new(OnNode: "pg-2"), [Primary(), Silence, Replica()], null, RouteReason.None },
        { "named and failed", new(OnNode: "pg-2", Failed: 0b10), [Primary(), Replica()], null, RouteReason.None },
        { "named and behind", new(OnNode: "pg-2", Include: 100), [Primary(100), Replica(99)], null, RouteReason.None },
        { "named and keeping up", new(OnNode: "pg-2", Include: 150), [Primary(100), Replica(100)], "pg-2", RouteReason.NamedNode },
        { "named primary has all", new(OnNode: "pg-1", Include: 9_000), [Primary(100), Replica(100)], "pg-1", RouteReason.NamedNode },
        { "named replica, strong", new(OnNode: "pg-2", Because: RouteReason.StrongConsistency), [Primary(), Replica()], null,
            RouteReason.None },
        { "named primary, strong", new(OnNode: "pg-1", Because: RouteReason.StrongConsistency), [Primary(), Replica()], "pg-1",
            RouteReason.NamedNode },
        { "named, but a write", new(OnNode: "pg-2", Because: RouteReason.Write), [Primary(), Replica()], "pg-1", RouteReason.Write },

        { "a failed replica is left out", new(Failed: 0b010), [Primary(), Replica(), Replica()], "pg-3", RouteReason.AnyReplica },
        { "all replicas failed", new(Failed: 0b110), [Primary(), Replica(), Replica()], "pg-1", RouteReason.NoReplicaCanServe },
        { "everything failed", new(Failed: 0b111), [Primary(), Replica(), Replica()], null, RouteReason.None },

        { "a foreign replica serves nothing", new(), [Primary(), Replica(), Replica(identifier: Theirs)], "pg-2", RouteReason.AnyReplica },
        { "Aurora serves nothing", new(), [Primary(), OnAurora], "pg-1", RouteReason.NoReplicaCanServe },
        { "an old primary serves nothing", new(), [Primary(timeline: 1), Primary(timeline: 2)], "pg-2", RouteReason.NoReplicaCanServe },

        { "near", new(Near: 0b100), [Primary(), Replica(), Replica()], "pg-3", RouteReason.AnyReplica },
        { "near and primary share", new(Near: 0b100, PrimaryWeight: 1e-9), [Primary(), Replica(), Replica()], "pg-3",
            RouteReason.AnyReplica },
        { "near but behind", new(Near: 0b100, Include: 100), [Primary(100), Replica(100), Replica(99)], "pg-2",
            RouteReason.ReplicaHasPosition },
        { "near but only probable", new(Near: 0b100, Include: 150), [Primary(100), Replica(150), Replica(120)], "pg-2",
            RouteReason.ReplicaHasPosition },
        { "no replica is near", new(Near: 0b1000), [Primary(), Replica(), Silence, Silence], "pg-2", RouteReason.AnyReplica },
        { "only the primary is near", new(Near: 0b1), [Primary(), Replica()], "pg-2", RouteReason.AnyReplica },
        { "only the primary is near, with a share", new(Near: 0b1, PrimaryWeight: 1e-9), [Primary(), Replica()], "pg-2",
            RouteReason.AnyReplica },
        { "share", new(PrimaryWeight: 1_000, Weight: 1e-9), [Primary(), Replica()], "pg-1", RouteReason.PrimaryShare },
        { "share of the near", new(Near: 0b11, PrimaryWeight: 1_000, Weight: 1e-9), [Primary(), Replica(), Replica()], "pg-1",
            RouteReason.PrimaryShare },
        { "stays on the node it read on", new(StayOn: 1), [Primary(), Replica(), Replica()], "pg-2", RouteReason.StaysOnReplica },
        { "stays, and has the position", new(StayOn: 1, Include: 100), [Primary(100), Replica(100)], "pg-2", RouteReason.StaysOnReplica },
        { "stays, and is verified", new(StayOn: 1, Include: 150), [Primary(100), Replica(120)], "pg-2",
            RouteReason.StaysOnReplica },
        { "another epoch of the node it read on", new(StayOn: 1, StayEpoch: 2), [Primary(), Replica(), Replica()], "pg-1",
            RouteReason.ObservedPositionUnknown },
        { "the node it read on is unreachable", new(StayOn: 1), [Primary(), Silence, Replica()], "pg-1",
            RouteReason.ObservedPositionUnknown },
        { "the node it read on failed", new(StayOn: 1, Failed: 0b10), [Primary(), Replica(), Replica()], "pg-1",
            RouteReason.ObservedPositionUnknown },
        { "the node it read on is behind its writes", new(StayOn: 1, Include: 100), [Primary(100), Replica(99), Replica(100)], "pg-1",
            RouteReason.ObservedPositionUnknown },
        { "the node it read on was promoted", new(StayOn: 1), [Silence, Primary(timeline: 2)], "pg-2",
            RouteReason.ObservedPositionUnknown },
        { "the node it read on and the primary are unreachable", new(StayOn: 1), [Silence, Silence, Replica()], null, RouteReason.None },
        { "stays, though another is near or has a share", new(StayOn: 1, Near: 0b100, PrimaryWeight: 1_000),
            [Primary(), Replica(), Replica()], "pg-2", RouteReason.StaysOnReplica },
        { "complete enough", new(CompleteSince: 0), [Primary(), Replica()], "pg-2", RouteReason.AnyReplica },
        { "too old", new(CompleteSince: 1), [Primary(), Replica()], "pg-1", RouteReason.NoReplicaCanServe },
        { "has not reached any sample", new(CompleteSince: 0), [Primary(100), Replica(99)], "pg-1", RouteReason.NoReplicaCanServe },
        { "too old to stay on", new(StayOn: 1, CompleteSince: 1), [Primary(), Replica()], "pg-1", RouteReason.ObservedPositionUnknown },
        { "named but too old", new(OnNode: "pg-2", CompleteSince: 1), [Primary(), Replica()], null, RouteReason.None },
        { "the primary is never too old", new(OnNode: "pg-1", CompleteSince: 1), [Primary(), Replica()], "pg-1", RouteReason.NamedNode },
        { "a fork after the position", new(Include: 80),
            [Primary(200, timeline: 2) with { Forks = [ForkAt(100)] }, Replica(150, timeline: 2)], "pg-2", RouteReason.ReplicaHasPosition },
        { "a fork before the position", new(Include: 101),
            [Primary(200, timeline: 2) with { Forks = [ForkAt(100)] }, Replica(150, timeline: 2)], "pg-1", RouteReason.NoReplicaCanServe },
        { "left behind on the old timeline", new(Include: 150, Timeline: 2),
            [Primary(200, timeline: 2) with { Forks = [ForkAt(100)] }, Replica(9_000)], "pg-1", RouteReason.NoReplicaCanServe },
        { "unknown timeline history", new(Include: 80), [Primary(200, timeline: 2), Replica(150, timeline: 2)], "pg-1",
            RouteReason.NoReplicaCanServe },

        { "position of earlier reads unknown", new(Because: RouteReason.ObservedPositionUnknown), [Primary(), Replica()], "pg-1",
            RouteReason.ObservedPositionUnknown },
        { "a transaction", new(Because: RouteReason.Transaction), [Primary(), Replica()], "pg-1", RouteReason.Transaction },
        { "a tracking query", new(Because: RouteReason.TrackingQuery), [Primary(), Replica()], "pg-1", RouteReason.TrackingQuery },
        { "a reload", new(Because: RouteReason.Reload), [Primary(), Replica()], "pg-1", RouteReason.Reload },
        { "an unknown query", new(Because: RouteReason.UnknownQuery), [Primary(), Replica()], "pg-1", RouteReason.UnknownQuery },
        { "an entity's rule", new(Because: RouteReason.EntityRule), [Primary(), Replica()], "pg-1", RouteReason.EntityRule },
        { "known to write", new(Because: RouteReason.KnownToWrite), [Primary(), Replica()], "pg-1", RouteReason.KnownToWrite },
        { "raw SQL", new(Because: RouteReason.RawSql), [Primary(), Replica()], "pg-1", RouteReason.RawSql },

        { "the last resort is not a share", new(PrimaryWeight: 1), [Primary(), Silence], "pg-1", RouteReason.NoReplicaCanServe },
    };

    [Theory]
    [MemberData(nameof(Decisions))]
    public void A_read_gets_a_node_that_meets_its_requirement_or_none(
        string of, ReadOf read, object?[] nodes, string? node, RouteReason reason)
    {
        var decision = read.Decide(Nodes(nodes));

        (decision.Node, decision.Reason).ShouldBe((node, reason), of);
        decision.Rejected.Select(r => r.Node).ShouldBe(Names.Take(nodes.Length).Where(n => n != node), of);
    }

    /// <summary>The reason why pg-2 was rejected, and its text.</summary>
    public static TheoryData<RejectionReason, string, ReadOf, object?[]> Rejections => new()
    {
        { RejectionReason.NotPicked, "could serve, but another node was picked", new(Weight: 1e-9, PrimaryWeight: 1_000),
            [Primary(), Replica()] },
        { RejectionReason.NotProbed, "has not responded to a probe yet", new(), [Primary(), null] },
        { RejectionReason.Unreachable, "unreachable: connection refused", new(), [Primary(), Silence] },
        { RejectionReason.ForeignCluster, "belongs to another cluster: its system identifier is 9009, the cluster's is 7001", new(),
            [Primary(), Replica(identifier: Theirs)] },
        { RejectionReason.ForeignCluster, "has the system identifier 9009; the nodes differ, so none of them is used", new(),
            [Primary(), Primary(identifier: Theirs)] },
        { RejectionReason.Aurora, "is Amazon Aurora", new(), [Primary(), OnAurora] },
        { RejectionReason.RivalPrimary, "reports that it is the primary of timeline 1, and so does another node", new(),
            [Primary(), Primary()] },
        { RejectionReason.SupersededPrimary, "reports that it is the primary of timeline 1, but the cluster is on timeline 2", new(),
            [Primary(timeline: 2), Primary()] },
        { RejectionReason.SupersededPrimary, "the cluster is on timeline 2", new(), [Primary(timeline: 2), Primary(), null] },
        { RejectionReason.IsReplica, "is a replica", new(Because: RouteReason.Write), [Primary(), Replica()] },
        { RejectionReason.IsPrimary, "is the primary, which serves reads only when no replica can", new(), [Replica(), Primary()] },
        { RejectionReason.Behind, "has replayed 0/63, 1 bytes short", new(Include: 100), [Primary(100), Replica(99)] },
        { RejectionReason.OtherTimeline, "follows timeline 2, which does not include position 0/64 on timeline 1", new(Include: 100),
            [Replica(100, timeline: 1), Replica(9_000, timeline: 2)] },
        {
            RejectionReason.TooStale,
            "may be older than 00:00:01: it has not reached any position of the primary that this process has observed",
            new(CompleteSince: 0), [Primary(100), Replica(99)]
        },
        { RejectionReason.TooStale, "may be older than 00:00:01", new(CompleteSince: 1), [Primary(), Replica()] },
        { RejectionReason.ObservedElsewhere, "may lack what the session has read on another replica", new(StayOn: 2),
            [Primary(), Replica(), Replica()] },
        { RejectionReason.OtherZone, "is in another zone", new(Near: 0b100), [Primary(), Replica(), Replica()] },
        { RejectionReason.FailedDuringRead, "failed during this read", new(Failed: 0b10), [Primary(), Replica()] },
        {
            RejectionReason.OtherTimeline, "has replayed 0/97 of timeline 1, which the cluster's history does not include", new(),
            [Primary(200, timeline: 2) with { Forks = [ForkAt(150)] }, Replica(151)]
        },
        { RejectionReason.Diverged, "its data has diverged. Rebuild it", new(), [Replica(), Replica(101), Primary(100)] },
        { RejectionReason.NotNamed, "was not requested", new(OnNode: "pg-1"), [Primary(), Replica()] },
    };

    [Theory]
    [MemberData(nameof(Rejections))]
    public void A_rejected_node_has_a_reason_and_a_text(RejectionReason reason, string text, ReadOf read, object?[] nodes)
    {
        var rejection = read.Decide(Nodes(nodes)).Rejected.Single(r => r.Node == "pg-2");

        rejection.Reason.ShouldBe(reason);
        rejection.Detail.ShouldContain(text);
    }

    [Fact]
    public void Every_rejection_reason_is_tested() =>
        Rejections.Select(row => row.Data.Item1).Distinct().Order().ShouldBe(Enum.GetValues<RejectionReason>().Order());

    /// <summary>
    /// ReplicaCaughtUp needs a wait, which ReadAttemptsTests covers. OwnConnection applies if no decision was made, which
    /// OwnConnectionTests covers.
    /// </summary>
    [Fact]
    public void Every_route_reason_is_tested() =>
        Decisions.Select(row => row.Data.Item5).Append(RouteReason.ReplicaCaughtUp).Append(RouteReason.OwnConnection).Distinct().Order()
            .ShouldBe(Enum.GetValues<RouteReason>().Order());

    [Fact]
    public void Every_reason_has_a_distinct_text()
    {
        var texts = Enum.GetValues<RouteReason>().Select(RouteText.Of).ToArray();

        texts.Distinct().Count().ShouldBe(texts.Length);
    }

    [Fact]
    public void A_decision_lists_the_node_and_each_rejection() =>
        new ReadOf(Include: 120).Decide(Of(Primary(120), Replica(120), Replica(100), Silence)).ToString().ShouldBe(
            """
            pg-2 (replica): it has replayed what the read must include
              pg-1  is the primary, which serves reads only when no replica can
              pg-3  has replayed 0/64, 20 bytes short
              pg-4  unreachable: connection refused
            """.ReplaceLineEndings("\n"));

    [Fact]
    public void A_decision_without_a_node_contains_the_requirement() =>
        new ReadOf(Include: 120).Decide(Of(Silence, Replica(100))).ToString().ShouldBe(
            """
            no node: this read must include position 0/78 on timeline 1
              pg-1  unreachable: connection refused
              pg-2  has replayed 0/64, 20 bytes short
            """.ReplaceLineEndings("\n"));

    [Fact]
    public void An_error_without_a_node_contains_the_request_each_reason_and_a_remedy()
    {
        var error = RoutingException.NoNode(new ReadOf(Because: RouteReason.Write).Decide(Of(Silence, Replica(100))), last: null);

        error.Message.ShouldBe(
            """
            No node can run the statement: this write needs the primary.
              pg-1  unreachable: connection refused
              pg-2  is a replica
            Start the primary or promote a replica. Tidemark detects it within one probe interval (ProbeInterval).
            """.ReplaceLineEndings("\n"));
        error.IsTransient.ShouldBeTrue();
    }

    [Theory]
    [InlineData(0UL, -1L, "this read may go to any node")]
    [InlineData(120UL, -1L, "this read must include position 0/78 on timeline 1")]
    [InlineData(0UL, 0L, "this read must be at most 00:00:01 old")]
    [InlineData(120UL, 0L, "this read must include position 0/78 on timeline 1 and be at most 00:00:01 old")]
    public void A_decision_without_a_node_lists_every_condition(ulong include, long completeSince, string conditions)
    {
        new ReadOf(include, CompleteSince: completeSince).Decide(Of(Silence, Silence)).Summary.ShouldBe($"no node: {conditions}");
        new ReadOf(include, CompleteSince: completeSince, OnNode: "pg-2").Decide(Of(Silence, Silence)).Summary
            .ShouldStartWith("no node: this read requires node 'pg-2'");
    }

    [Fact]
    public void A_decision_that_fell_back_to_the_primary_is_not_for_a_replica()
    {
        new ReadOf().Decide(Of(Primary(), Replica())).IsReplica.ShouldBeTrue();
        new ReadOf().Decide(Of(Primary(), Silence)).IsReplica.ShouldBeFalse();
        new ReadOf().Decide(Of(Silence, Silence)).IsReplica.ShouldBeFalse();
    }

    [Fact]
    public void An_error_advises_a_promotion_only_if_the_statement_needs_the_primary()
    {
        var nodes = Of(Silence, Silence);

        RoutingException.NoNode(new ReadOf(Because: RouteReason.Write).Decide(nodes), last: null)
            .Message.ShouldContain("promote a replica");
        RoutingException.NoNode(new ReadOf(Because: RouteReason.StrongConsistency).Decide(nodes), last: null)
            .Message.ShouldContain("promote a replica");
        RoutingException.NoNode(new ReadOf().Decide(nodes), last: null).Message.ShouldContain("Start one of the nodes");
        RoutingException.NoNode(new ReadOf(OnNode: "pg-2").Decide(nodes), last: null).Message.ShouldContain("cannot leave 'pg-2'");
    }

    [Fact]
    public void A_write_that_the_primary_just_failed_is_a_transient_error()
    {
        // The snapshot still shows the primary. Only the caller has detected its failure.
        var error =
            RoutingException.NoNode(new ReadOf(Because: RouteReason.Write, Failed: 0b1).Decide(Of(Primary(), Replica())), last: null);

        error.IsTransient.ShouldBeTrue();
        error.Message.ShouldContain("pg-1  failed");
    }

    [Fact]
    public void An_error_created_outside_Tidemark_has_an_empty_decision()
    {
        var error = new RoutingException("made by a test");

        error.Decision.Node.ShouldBeNull();
        error.Decision.Role.ShouldBe(NodeRole.Unknown);
        error.Decision.Rejected.ShouldBeEmpty();
        error.Decision.ToString().ShouldBe("no decision");
        error.IsTransient.ShouldBeFalse();
    }

    [Fact]
    public void Decisions_are_equal_if_choice_and_snapshot_are_equal()
    {
        var snapshot = Of(Primary(), Replica());

        (new ReadOf().Decide(snapshot) == new ReadOf().Decide(snapshot)).ShouldBeTrue();
        (new ReadOf().Decide(snapshot) != new ReadOf().Decide(Of(Primary(), Replica()))).ShouldBeTrue();
        new ReadOf().Decide(snapshot).ShouldNotBe(new ReadOf(Because: RouteReason.Write).Decide(snapshot));
    }

    [Fact]
    public void The_primary_takes_its_share_by_weight()
    {
        var router = new ReadOf(PrimaryWeight: 1).Router(nodes: 3);
        var snapshot = Of(Primary(), Replica(), Replica());
        var counts = new int[3];
        for (var i = 0; i < 9_000; i++) counts[router.Decide(snapshot, default, [0, 0, 0]).NodeIndex]++;

        foreach (var count in counts) count.ShouldBeInRange(2_700, 3_300);
    }

    [Fact]
    public void Of_two_replicas_the_one_with_fewer_reads_in_flight_serves() =>
        new ReadOf().Router(nodes: 3).Decide(Of(Primary(), Replica(), Replica()), default, [0, 3, 1]).Node.ShouldBe("pg-3");

    [Fact]
    public void The_last_of_sixty_four_nodes_can_fail_and_serve_like_any_other()
    {
        ProbeAnswer[] nodes = [Primary(), .. Enumerable.Repeat(Silence, 62), Replica()];

        new ReadOf().Decide(Of(nodes)).NodeIndex.ShouldBe(63);
        new ReadOf(Failed: 1UL << 63).Decide(Of(nodes)).NodeIndex.ShouldBe(0);
    }

    [Theory]
    [InlineData(BalancingPolicy.PowerOfTwoChoices)]
    [InlineData(BalancingPolicy.RoundRobin)]
    [InlineData(BalancingPolicy.Random)]
    public void A_decision_allocates_nothing(BalancingPolicy policy)
    {
        var router = new ReadOf(Near: 0b110).Router(nodes: 4, policy);
        var snapshot = Of(Primary(120), Replica(120), Replica(100), Replica(120));
        ReadRequirement[] reads =
        [
            new() { MustInclude = Position(110), CompleteSince = 0 },
            new() { StayOn = new NodeEpoch(1, Run(1)) },
            new() { MustInclude = Position(90, timeline: 7) },
        ];
        int[] load = [0, 1, 2, 3];

        long Allocated()
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1_000; i++)
                foreach (var read in reads) router.Decide(snapshot, read, load);

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        // The runtime itself allocates at times, when it recompiles hot methods. The minimum of several rounds is due to the decision.
        Enumerable.Range(0, 10).Min(_ => Allocated()).ShouldBe(0);
    }

    private static Fork ForkAt(ulong position) => new(1, 2, At(position), At(position));

    // The parameters of a theory must be public types, and ProbeAnswer is internal.
    private static ClusterSnapshot Nodes(object?[] answers) => Of([.. answers.Cast<ProbeAnswer?>()]);
}
