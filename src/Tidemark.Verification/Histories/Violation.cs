namespace Tidemark.Verification;

/// <summary>A violated guarantee.</summary>
/// <param name="Kind">The guarantee that was violated.</param>
/// <param name="Operation">Number of the operation that violated it, in the order in which operations were added.</param>
/// <param name="Because">The operation whose effect it misses or contradicts, or <see langword="null"/> if none exists.</param>
/// <param name="Text">One sentence that states what was required and what was shown.</param>
public sealed record Violation(ViolationKind Kind, int Operation, int? Because, string Text)
{
    /// <inheritdoc/>
    public override string ToString() => Text;
}
