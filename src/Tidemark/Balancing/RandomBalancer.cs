namespace Tidemark;

/// <summary>Picks a candidate at random by weight.</summary>
internal sealed class RandomBalancer(Chance chance) : Balancer
{
    public override int Pick(ReadOnlySpan<Candidate> candidates) => Draw(candidates, chance.Next());
}
