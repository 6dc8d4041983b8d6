namespace Tidemark;

/// <summary>Draws by weight.</summary>
internal sealed class RandomBalancer(Chance chance) : Balancer
{
    public override int Pick(ReadOnlySpan<Candidate> candidates) => Draw(candidates, chance.Next());
}
