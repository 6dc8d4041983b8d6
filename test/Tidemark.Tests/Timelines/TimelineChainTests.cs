using static Tidemark.Survival;
using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class TimelineChainTests
{
    private const int InOtherProcess = KnownPosition.Unknown;

    // From the history file of a server: timeline 1 was left at 100 for 2, and 2 at 200 for 3.
    private static readonly TimelineChain Exact = TimelineChain.Empty.With([Fork(1, 2, 100), Fork(2, 3, 200)]);

    // The same forks, observed only by probes.
    private static readonly TimelineChain Bracketed = TimelineChain.Empty.With(Fork(1, 2, 90, 110)).With(Fork(2, 3, 190, 210));

    [Theory]
    [InlineData(3, 9_000, nameof(Holds))]
    [InlineData(2, 200, nameof(Holds))]
    [InlineData(2, 201, nameof(Lost))]
    [InlineData(1, 100, nameof(Holds))]
    [InlineData(1, 101, nameof(Lost))]
    [InlineData(1, 150, nameof(Lost))]
    [InlineData(4, 1, nameof(MayBeLost))]
    public void A_position_survives_up_to_the_fork_of_each_ancestor(uint timeline, ulong position, string survival) =>
        Exact.SurvivalOf(Stamped(position, timeline), current: 3).ToString().ShouldBe(survival);

    [Theory]
    [InlineData(2, 190, nameof(Holds))]
    [InlineData(2, 191, nameof(MayBeLost))]
    [InlineData(2, 210, nameof(MayBeLost))]
    [InlineData(2, 211, nameof(Lost))]
    [InlineData(1, 90, nameof(Holds))]
    [InlineData(1, 110, nameof(MayBeLost))]
    [InlineData(1, 111, nameof(Lost))]
    public void A_position_inside_a_bracketed_fork_may_be_lost(uint timeline, ulong position, string survival) =>
        Bracketed.SurvivalOf(Stamped(position, timeline), current: 3).ToString().ShouldBe(survival);

    [Theory]
    [InlineData(1, 100, 3, true)]
    [InlineData(1, 101, 3, false)]
    [InlineData(2, 200, 3, true)]
    [InlineData(2, 201, 3, false)]
    [InlineData(3, 9_000, 3, true)]
    [InlineData(3, 1, 2, false)]
    [InlineData(2, 1, 1, false)]
    public void A_node_has_the_positions_that_its_timeline_includes(uint timeline, ulong position, uint node, bool leads) =>
        Exact.Leads(Position(position, timeline), node).ShouldBe(leads);

    [Theory]
    [InlineData(90, true)]
    [InlineData(91, false)]
    [InlineData(110, false)]
    public void A_node_has_only_positions_before_the_lower_bound_of_a_fork(ulong position, bool leads) =>
        Bracketed.Leads(Position(position, timeline: 1), 3).ShouldBe(leads);

    [Fact]
    public void A_bracket_does_not_replace_an_exact_fork()
    {
        var chain = Exact.With(Fork(3, 4, 290, 310)).With(Fork(1, 2, 90, 110));

        chain.SurvivalOf(Stamped(290, timeline: 3), current: 4).ShouldBe(Holds);
        chain.SurvivalOf(Stamped(291, timeline: 3), current: 4).ShouldBe(MayBeLost);
        chain.SurvivalOf(Stamped(101, timeline: 1), current: 2).ShouldBe(Lost, "it is known exactly");
    }

    [Fact]
    public void With_an_unknown_chain_a_position_may_be_lost_and_no_node_has_it()
    {
        TimelineChain.Empty.SurvivalOf(Stamped(1, timeline: 1), current: 2).ShouldBe(MayBeLost);
        TimelineChain.Empty.Leads(Position(1, timeline: 1), 2).ShouldBeFalse();
        TimelineChain.Empty.DescribeEnd(Position(1)).ShouldBe("the end of the timeline is unknown");
    }

    [Fact]
    public void A_position_on_a_timeline_that_the_exact_chain_skips_is_lost()
    {
        var chain = TimelineChain.Empty.With([Fork(1, 3, 150)]);

        chain.SurvivalOf(Stamped(1, timeline: 2), current: 3).ShouldBe(Lost);
        chain.SurvivalOf(Stamped(150, timeline: 1), current: 3).ShouldBe(Holds);
        chain.SurvivalOf(Stamped(151, timeline: 1), current: 3).ShouldBe(Lost);
    }

    [Fact]
    public void A_position_on_a_timeline_that_probes_missed_may_be_lost()
    {
        // Two promotions between two probes: the actual sequence was 1, 2, 3.
        var chain = TimelineChain.Empty.With(Fork(1, 3, 90, 210));

        chain.SurvivalOf(Stamped(100, timeline: 2), current: 3).ShouldBe(MayBeLost);
    }

    [Fact]
    public void A_position_on_a_later_timeline_is_not_reported_lost() =>
        Exact.SurvivalOf(Stamped(300, timeline: 3), current: 2).ShouldBe(MayBeLost);

    [Fact]
    public void An_exact_fork_wins_over_a_bracket_in_any_order()
    {
        Bracketed.With([Fork(1, 2, 100)]).SurvivalOf(Stamped(101, timeline: 1), current: 2).ShouldBe(Lost);
        Exact.With(Fork(1, 2, 90, 110)).SurvivalOf(Stamped(101, timeline: 1), current: 2).ShouldBe(Lost);
        Exact.With(Fork(1, 2, 90, 110)).DescribeEnd(Position(101)).ShouldBe("timeline 2 forked from it at 0/64");
        Bracketed.DescribeEnd(Position(101)).ShouldBe("timeline 2 forked from it between 0/5A and 0/6E");
    }

    [Fact]
    public void The_beginning_of_a_timeline_is_returned_only_if_it_is_exact()
    {
        Exact.BeginOf(3).ShouldBe(At(200));
        Exact.BeginOf(1).ShouldBeNull();
        Bracketed.BeginOf(3).ShouldBeNull();
    }

    [Theory]
    [InlineData(0, 0, 100, nameof(Holds))]
    [InlineData(0, 0, 101, nameof(MayBeLost))]
    [InlineData(0, 0, 120, nameof(MayBeLost))]
    [InlineData(0, 0, 121, nameof(Lost))]
    [InlineData(1, 0, 121, nameof(Holds))]
    [InlineData(InOtherProcess, 0, 100, nameof(Holds))]
    [InlineData(InOtherProcess, 0, 110, nameof(MayBeLost))]
    [InlineData(InOtherProcess, 0, 121, nameof(MayBeLost))]
    [InlineData(InOtherProcess, 1, 110, nameof(MayBeLost))]
    [InlineData(InOtherProcess, 1, 121, nameof(Holds))]
    public void A_crash_loses_unflushed_positions_of_the_previous_epoch(int primaryEpoch, int cameIn, ulong position, string survival)
    {
        var chain = TimelineChain.Empty.WithCrash(1, At(100), At(120));

        chain.PrimaryEpoch.ShouldBe(1);
        chain.SurvivalOf(new KnownPosition(Position(position), primaryEpoch, cameIn), current: 1).ToString().ShouldBe(survival);
    }

    [Fact]
    public void A_crash_affects_earlier_epochs_of_its_own_timeline_only()
    {
        var chain = TimelineChain.Empty.WithCrash(1, At(100), At(120)).WithCrash(1, At(300), At(320)).WithCrash(2, At(500), At(520));

        chain.PrimaryEpoch.ShouldBe(3);
        chain.SurvivalOf(new KnownPosition(Position(200), 1), current: 1).ShouldBe(Holds);
        chain.SurvivalOf(new KnownPosition(Position(310), 1), current: 1).ShouldBe(MayBeLost);
        chain.SurvivalOf(new KnownPosition(Position(400), 2), current: 1).ShouldBe(Holds);
        chain.DescribeEnd(Position(310)).ShouldBe("the primary crashed and kept all WAL up to 0/12C, possibly up to 0/140");
    }

    [Fact]
    public void A_position_must_survive_both_the_crash_and_the_fork()
    {
        var chain = Exact.WithCrash(1, At(50), At(70));

        chain.SurvivalOf(new KnownPosition(Position(40), 0), current: 3).ShouldBe(Holds);
        chain.SurvivalOf(new KnownPosition(Position(60), 0), current: 3).ShouldBe(MayBeLost);
        chain.SurvivalOf(new KnownPosition(Position(80), 0), current: 3).ShouldBe(Lost);
        chain.SurvivalOf(new KnownPosition(Position(80), 1), current: 3).ShouldBe(Holds);
        chain.SurvivalOf(new KnownPosition(Position(101), 1), current: 3).ShouldBe(Lost);
    }

    [Fact]
    public void A_history_file_is_read_with_its_comments_and_reasons()
    {
        const string File = "1\t0/3000158\tno recovery target specified\n\n2\t1/A0000000\tbefore 2000-01-01 05:00:00\n";

        TimelineHistoryReader.Parse(File, 4).ShouldBe([Fork(1, 2, 0x3000158), Fork(2, 4, 0x1A0000000)]);
        TimelineHistoryReader.Parse("# made by hand\r\n1 0/64\r\n", 2).ShouldBe([Fork(1, 2, 100)]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("1")]
    [InlineData("one 0/64")]
    [InlineData("1 sixtyfour")]
    [InlineData("-1 0/64")]
    [InlineData("3 0/64")]
    [InlineData("9 0/64")]
    public void An_invalid_history_file_yields_no_forks(string file) =>
        TimelineHistoryReader.Parse(file, 3).ShouldBeEmpty();

    [Fact]
    public void A_cyclic_history_file_yields_only_forks_to_later_timelines()
    {
        var chain = TimelineChain.Empty.With(TimelineHistoryReader.Parse("2 0/64\n1 0/70\n", 2));

        chain.SurvivalOf(Stamped(10, timeline: 1), current: 2).ShouldBe(Holds);
        chain.Leads(Position(10, timeline: 1), 2).ShouldBeTrue();
    }

    private static KnownPosition Stamped(ulong position, uint timeline) => new(Position(position, timeline), 0);

    private static Fork Fork(uint parent, uint child, ulong at) => new(parent, child, At(at), At(at));

    private static Fork Fork(uint parent, uint child, ulong atLeast, ulong atMost) => new(parent, child, At(atLeast), At(atMost));
}
