namespace Tidemark.Mutations;

/// <summary>A mutant that no test can detect.</summary>
/// <param name="Mutant">Its <see cref="Mutant.Id"/>, in parts that a space joins.</param>
/// <param name="Reason">Why it changes nothing a caller can observe.</param>
internal sealed record Equivalent(string[] Mutant, string Reason)
{
    public string Id => string.Join(' ', Mutant);
}
