namespace Tidemark;

public sealed class BalancerTests
{
    private const int Draws = 30_000;

    [Theory]
    [InlineData(BalancingPolicy.PowerOfTwoChoices)]
    [InlineData(BalancingPolicy.RoundRobin)]
    [InlineData(BalancingPolicy.Random)]
    public void Equal_nodes_serve_equally_often(BalancingPolicy policy)
    {
        var picks = Count(policy, [new(0, 1, 0), new(1, 1, 0), new(2, 1, 0)]);

        foreach (var share in picks) share.ShouldBe(1 / 3.0, 0.02);
    }

    [Theory]
    [InlineData(BalancingPolicy.PowerOfTwoChoices)]
    [InlineData(BalancingPolicy.RoundRobin)]
    [InlineData(BalancingPolicy.Random)]
    public void A_node_of_double_weight_serves_twice_as_often_as_its_equals(BalancingPolicy policy)
    {
        var picks = Count(policy, [new(0, 2, 0), new(1, 1, 0)]);

        (picks[0] / picks[1]).ShouldBe(2, 0.15);
    }

    [Fact]
    public void Two_choices_prefers_the_node_with_fewer_reads_in_flight()
    {
        var picks = Count(BalancingPolicy.PowerOfTwoChoices, [new(0, 1, 9), new(1, 1, 2)]);

        picks.ShouldBe([0, 1]);
    }

    [Fact]
    public void Two_choices_never_takes_the_most_loaded_of_three()
    {
        var picks = Count(BalancingPolicy.PowerOfTwoChoices, [new(0, 1, 5), new(1, 1, 6), new(2, 1, 4)]);

        picks[1].ShouldBe(0);
        picks[2].ShouldBe(2 / 3.0, 0.02);
    }

    [Fact]
    public void Two_choices_measures_load_against_weight()
    {
        // Ten reads are a lower load for a node of weight 4 than five reads for a node of weight 1.
        Count(BalancingPolicy.PowerOfTwoChoices, [new(0, 4, 10), new(1, 1, 5)]).ShouldBe([1, 0]);
    }

    [Fact]
    public void Round_robin_spreads_a_heavy_node_between_the_others()
    {
        Sequence(new RoundRobinBalancer(), 7, [new(0, 5, 0), new(1, 1, 0), new(2, 1, 0)]).ShouldBe([0, 0, 1, 0, 2, 0, 0]);
    }

    [Fact]
    public void Round_robin_continues_in_turn_after_a_node_leaves_and_returns()
    {
        Candidate[] all = [new(0, 1, 0), new(1, 1, 0), new(2, 1, 0)];
        Candidate[] two = [new(0, 1, 0), new(2, 1, 0)];
        var balancer = new RoundRobinBalancer();

        Sequence(balancer, 3, all).ShouldBe([0, 1, 2]);
        Sequence(balancer, 4, two).ShouldBe([0, 1, 0, 1], "places in the list, not indexes of nodes");
        Sequence(balancer, 3, all).ShouldBe([0, 1, 2]);
    }

    [Theory]
    [InlineData(BalancingPolicy.PowerOfTwoChoices)]
    [InlineData(BalancingPolicy.RoundRobin)]
    [InlineData(BalancingPolicy.Random)]
    public void A_single_candidate_serves_regardless_of_its_load(BalancingPolicy policy) =>
        Count(policy, [new(63, 0.001, 1_000)]).ShouldBe([1]);

    [Fact]
    public void Chance_of_one_seed_is_the_same_every_time_and_of_another_is_not()
    {
        double[] Ten(long seed)
        {
            var chance = new Chance(seed);
            return [.. Enumerable.Range(0, 10).Select(_ => chance.Next())];
        }

        Ten(7).ShouldBe(Ten(7));
        Ten(7).ShouldNotBe(Ten(8));
    }

    [Fact]
    public void Chance_is_even_and_stays_below_one()
    {
        var chance = new Chance(1);
        var tenths = new int[10];
        for (var i = 0; i < Draws; i++) tenths[(int)(chance.Next() * 10)]++;

        foreach (var tenth in tenths) (tenth / (double)Draws).ShouldBe(0.1, 0.01);
    }

    private static double[] Count(BalancingPolicy policy, Candidate[] candidates)
    {
        var balancer = Balancer.For(policy, new Chance(42));
        var picks = new double[candidates.Length];
        for (var i = 0; i < Draws; i++) picks[balancer.Pick(candidates)]++;
        return [.. picks.Select(p => p / Draws)];
    }

    private static int[] Sequence(Balancer balancer, int turns, Candidate[] candidates) =>
        [.. Enumerable.Range(0, turns).Select(_ => balancer.Pick(candidates))];
}
