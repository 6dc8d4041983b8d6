namespace Tidemark;

/// <summary>Draws two by weight and takes the one with fewer reads in flight for its weight; a tie goes to the first drawn.</summary>
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
