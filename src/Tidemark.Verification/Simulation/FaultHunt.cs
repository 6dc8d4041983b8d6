namespace Tidemark.Verification;

/// <summary>The result of a search for a planted fault.</summary>
/// <param name="Fault">The fault.</param>
/// <param name="Seeds">Number of seeds until the fault was caught, including the one that caught it, or all seeds that were run.</param>
/// <param name="By">The seed that caught the fault, or <see langword="null"/> if none did.</param>
/// <param name="IsCancelled">Whether the search was cancelled before the fault was caught.</param>
public sealed record FaultHunt(PlantedFault Fault, int Seeds, FailingSeed? By, bool IsCancelled)
{
    /// <summary>Whether the fault was caught.</summary>
    public bool IsCaught => By is not null;
}
