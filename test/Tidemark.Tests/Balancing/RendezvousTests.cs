using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>The node that serves each user. With 100,000 users, a share of one fifth varies by 0.13 % by chance (one sigma).</summary>
public sealed class RendezvousTests
{
    private const int Users = 100_000;

    private static readonly string[] Five = ["pg-1", "pg-2", "pg-3", "pg-4", "pg-5"];

    [Fact]
    public void Users_spread_evenly_over_five_nodes()
    {
        foreach (var share in Shares(Homes(Five))) share.Value.ShouldBe(0.2, 0.006, share.Key);
    }

    [Fact]
    public void Users_spread_as_the_weights_say()
    {
        var shares = Shares(Homes(Five, name => name == "pg-2" ? 4 : 1));

        shares["pg-2"].ShouldBe(0.5, 0.007);
        foreach (var share in shares.Where(s => s.Key != "pg-2")) share.Value.ShouldBe(0.125, 0.006, share.Key);
    }

    [Fact]
    public void Removing_a_node_moves_only_its_own_users_and_spreads_them()
    {
        var (before, after) = (Homes(Five), Homes([.. Five.Where(n => n != "pg-3")]));

        var moved = Enumerable.Range(0, Users).Where(u => before[u] != after[u]).ToArray();
        moved.ShouldAllBe(u => before[u] == "pg-3");
        moved.Length.ShouldBe(before.Count(n => n == "pg-3"));
        foreach (var share in Shares([.. moved.Select(u => after[u])])) share.Value.ShouldBe(0.25, 0.02, share.Key);
    }

    [Fact]
    public void Adding_a_sixth_node_moves_a_sixth_of_the_users_to_it()
    {
        var (before, after) = (Homes(Five), Homes([.. Five, "pg-6"]));

        var moved = Enumerable.Range(0, Users).Where(u => before[u] != after[u]).ToArray();
        moved.ShouldAllBe(u => after[u] == "pg-6");
        ((double)moved.Length / Users).ShouldBe(1 / 6.0, 0.006);
    }

    [Fact]
    public void A_node_is_identified_by_name_regardless_of_index_and_case() =>
        Homes([.. Five.Reverse().Select(n => n.ToUpperInvariant())]).Select(n => n.ToLowerInvariant()).ShouldBe(Homes(Five));

    [Fact]
    public void A_user_has_the_same_node_in_every_process_and_version()
    {
        // These numbers are a contract: processes of an old and a new version serve the same users during a deployment.
        Rendezvous.Hash("user-42").ShouldBe(HashOfUser42);
        Homes(Five).Take(8).ShouldBe(HomesOfTheFirstEight);
    }

    [Fact]
    public void A_node_above_its_load_share_passes_the_user_to_the_next_node()
    {
        var key = Rendezvous.Hash("user-42");
        ulong[] seeds = [.. Five.Select(Rendezvous.Seed)];
        var ranking = Enumerable.Range(0, 5).OrderByDescending(i => Rendezvous.Score(key, seeds[i], 1)).ToArray();

        // With 37 reads in flight plus the next one, a fifth times 1.25 is 9.5, so the node may take a tenth read.
        Pick(loads: (ranking[0], 9), others: 7).ShouldBe(ranking[0]);
        Pick(loads: (ranking[0], 10), others: 7).ShouldBe(ranking[1]);
        Pick((ranking[0], 30), (ranking[1], 30), others: 5).ShouldBe(ranking[2]);

        // Three simultaneous reads on an idle cluster are far above the mean, but not a load.
        Pick(loads: (ranking[0], 3), others: 0).ShouldBe(ranking[0]);
        Pick(loads: (ranking[0], 4), others: 0).ShouldBe(ranking[1]);

        int Pick((int Node, int Reads) loads, (int Node, int Reads)? more = null, int others = 0) => Rendezvous.Pick(
            [.. Enumerable.Range(0, 5)
                .Select(i => new Candidate(i, 1, i == loads.Node ? loads.Reads : i == more?.Node ? more.Value.Reads : others))], key,
                seeds);
    }

    [Fact]
    public void No_node_takes_more_than_its_bound_when_all_users_read_at_once()
    {
        var random = new Random(7);
        ulong[] seeds = [.. Five.Select(Rendezvous.Seed)];
        var loads = new int[5];

        // Every second read is from the same user. Without the bound, the node of that user would serve three fifths.
        for (var reads = 0; reads < 1000; reads++)
        {
            var key = Rendezvous.Hash(random.Next(2) == 0 ? "celebrity" : $"user-{reads}");
            loads[Rendezvous.Pick([.. loads.Select((load, i) => new Candidate(i, 1, load))], key, seeds)]++;
        }

        loads.Max().ShouldBeLessThanOrEqualTo(250);
        loads.Max().ShouldBeGreaterThan(230);
        loads.Sum().ShouldBe(1000);
    }

    [Fact]
    public void Order_of_choice_is_sticky_node_then_affinity_then_balancer()
    {
        var router = Router(4);
        var snapshot = Of(Primary(100), Replica(100), Replica(100), Replica(50));
        var everywhere = new HashSet<string?>();
        for (var user = 0; user < 50; user++)
        {
            var key = Rendezvous.Hash($"user-{user}");
            var own = router.Decide(snapshot, default, new int[4], affinity: key);
            everywhere.Add(own.Node);
            router.Decide(snapshot, default, new int[4], affinity: key).Node.ShouldBe(own.Node);
            router.Decide(snapshot, default, new int[4], preferred: 2, affinity: key).Node.ShouldBe("pg-3");
            router.Decide(snapshot, default, new int[4], failed: 1UL << own.NodeIndex, affinity: key).Node.ShouldNotBe(own.Node);

            // pg-4 does not have the position, regardless of the key.
            router.Decide(snapshot, new ReadRequirement { MustInclude = Position(100) }, new int[4], affinity: key)
                .Node.ShouldBeOneOf("pg-2", "pg-3");
        }

        everywhere.Order().ShouldBe(["pg-2", "pg-3", "pg-4"]);
    }

    [Fact]
    public void Zones_come_before_affinity()
    {
        var router = Router(4, near: 0b1100);
        var snapshot = Of(Primary(), Replica(), Replica(), Replica());

        for (var user = 0; user < 50; user++)
            router.Decide(snapshot, default, new int[4], affinity: Rendezvous.Hash($"user-{user}")).Node.ShouldBeOneOf("pg-3", "pg-4");
    }

    [Fact]
    public void A_pick_allocates_nothing()
    {
        var router = Router(4);
        var snapshot = Of(Primary(120), Replica(120), Replica(100), Replica(120));
        int[] load = [0, 1, 2, 3];

        long Allocated()
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0UL; i < 1_000; i++) router.Decide(snapshot, default, load, affinity: i);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Allocated();
        Enumerable.Range(0, 10).Min(_ => Allocated()).ShouldBe(0);
    }

    private const ulong HashOfUser42 = 14287855144093080948;

    private static readonly string[] HomesOfTheFirstEight = ["pg-2", "pg-4", "pg-5", "pg-4", "pg-3", "pg-1", "pg-1", "pg-1"];

    private static Router Router(int nodes, ulong near = 0) => new(
        new RoutingRules(
            [.. Enumerable.Repeat(1.0, nodes)],
            [.. Enumerable.Range(0, nodes).Select(index => (near & (1UL << index)) != 0)],
            PrimaryReadWeight: 0)
        {
            Seeds = [.. Enumerable.Range(1, nodes).Select(n => Rendezvous.Seed($"pg-{n}"))],
        },
        Balancer.For(BalancingPolicy.PowerOfTwoChoices, new Chance(42)));

    /// <summary>Returns the node name of each user.</summary>
    private static string[] Homes(string[] nodes, Func<string, double>? weightOf = null)
    {
        ulong[] seeds = [.. nodes.Select(Rendezvous.Seed)];
        Candidate[] candidates = [.. nodes.Select((name, i) => new Candidate(i, weightOf?.Invoke(name) ?? 1, 0))];
        return [.. Enumerable.Range(0, Users).Select(user => nodes[Rendezvous.Pick(candidates, Rendezvous.Hash($"user-{user}"), seeds)])];
    }

    private static Dictionary<string, double> Shares(string[] homes) =>
        homes.CountBy(n => n).ToDictionary(n => n.Key, n => (double)n.Value / homes.Length);
}
