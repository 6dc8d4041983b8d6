namespace Tidemark;

/// <summary>Says that a session lost something; see <see cref="TidemarkDataSource.WriteLost"/>.</summary>
/// <param name="lost">What was lost.</param>
public sealed class WriteLostEventArgs(LostWrite lost) : EventArgs
{
    /// <summary>What was lost.</summary>
    public LostWrite Lost { get; } = lost;
}
