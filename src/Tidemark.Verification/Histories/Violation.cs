namespace Tidemark.Verification;

/// <summary>One broken promise.</summary>
/// <param name="Kind">Which promise.</param>
/// <param name="Operation">The operation that broke it, numbered in the order operations were added.</param>
/// <param name="Because">The operation whose effect it misses or contradicts; null where there is none to name.</param>
/// <param name="Text">What was required and what was shown, in one sentence.</param>
public sealed record Violation(ViolationKind Kind, int Operation, int? Because, string Text)
{
    /// <inheritdoc/>
    public override string ToString() => Text;
}
