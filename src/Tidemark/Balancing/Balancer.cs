namespace Tidemark;

/// <summary>Picks one of several nodes that may all serve a read. Knows nothing of consistency.</summary>
internal abstract class Balancer
{
    /// <summary>Maximum number of nodes in one cluster: a decision keeps one bit for each.</summary>
    public const int MaxNodes = 64;

    /// <summary>Returns the index of the candidate that serves; the list is not empty.</summary>
    public abstract int Pick(ReadOnlySpan<Candidate> candidates);

    public static Balancer For(BalancingPolicy policy, Chance chance) => policy switch
    {
        BalancingPolicy.RoundRobin => new RoundRobinBalancer(),
        BalancingPolicy.Random => new RandomBalancer(chance),
        _ => new PowerOfTwoChoicesBalancer(chance),
    };

    /// <summary>Draws by weight, leaving out one place in the list (-1: none).</summary>
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
