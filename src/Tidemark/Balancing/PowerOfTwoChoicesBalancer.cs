namespace Tidemark;

/// <summary>
/// Picks two candidates at random by weight and uses the one with fewer reads in flight for its weight. The first one wins a tie.
/// </summary>
internal sealed class PowerOfTwoChoicesBalancer(Chance chance) : Balancer
{
    public override int Pick(ReadOnlySpan<Candidate> candidates)
    {
        if (candidates.Length == 1) return 0;
        var first = Draw(candidates, chance.Next());
        var second = Draw(candidates, chance.Next(), except: first);
        return Load(candidates[second]) < Load(candidates[first]) ? second : first;
    }

    private static double Load(in Candidate candidate) => candidate.ReadsInFlight / candidate.Weight;
}
