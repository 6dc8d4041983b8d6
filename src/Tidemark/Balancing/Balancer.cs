namespace Tidemark;

/// <summary>Picks one of several nodes that can serve a read. Consistency is evaluated before.</summary>
internal abstract class Balancer
{
    /// <summary>Maximum number of nodes in a cluster. A routing decision keeps one bit for each.</summary>
    public const int MaxNodes = 64;

    /// <summary>Returns the index of the picked candidate in the list, which must not be empty.</summary>
    public abstract int Pick(ReadOnlySpan<Candidate> candidates);

    public static Balancer For(BalancingPolicy policy, Chance chance) => policy switch
    {
        BalancingPolicy.RoundRobin => new RoundRobinBalancer(),
        BalancingPolicy.Random => new RandomBalancer(chance),
        _ => new PowerOfTwoChoicesBalancer(chance),
    };

    /// <summary>Picks a candidate at random by weight, skipping the one at index <paramref name="except"/> (-1 skips none).</summary>
    protected static int Draw(ReadOnlySpan<Candidate> candidates, double chance, int except = -1)
    {
        var total = 0.0;
        for (var i = 0; i < candidates.Length; i++)
            if (i != except) total += candidates[i].Weight;

        var mark = chance * total;
        var last = -1;
        for (var i = 0; i < candidates.Length; i++)
        {
            if (i == except) continue;
            last = i;
            mark -= candidates[i].Weight;
            if (mark < 0) break;
        }

        return last;
    }
}
