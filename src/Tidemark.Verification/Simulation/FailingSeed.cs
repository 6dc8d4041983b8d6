namespace Tidemark.Verification;

/// <summary>What a seed found, by its first finding.</summary>
/// <param name="Seed">The seed.</param>
/// <param name="Finding">What kind of thing it found.</param>
/// <param name="Text">The first violation or invariant, in words.</param>
public sealed record FailingSeed(int Seed, SimulationFinding Finding, string Text)
{
    /// <inheritdoc/>
    public override string ToString() => $"seed {Seed}: {Text}";
}
