namespace Tidemark.Verification;

/// <summary>The first finding of a seed.</summary>
/// <param name="Seed">The seed.</param>
/// <param name="Finding">The kind of the finding.</param>
/// <param name="Text">Description of the first violation or broken invariant.</param>
public sealed record FailingSeed(int Seed, SimulationFinding Finding, string Text)
{
    /// <inheritdoc/>
    public override string ToString() => $"seed {Seed}: {Text}";
}
