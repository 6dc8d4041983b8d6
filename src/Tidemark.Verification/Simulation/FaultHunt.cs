namespace Tidemark.Verification;

/// <summary>How a planted fault fared.</summary>
/// <param name="Fault">The fault.</param>
/// <param name="Seeds">The seeds until it was caught, the one that caught it included; or all that were run.</param>
/// <param name="By">What caught it; <see langword="null"/>: nothing did.</param>
/// <param name="IsCancelled">It was cancelled before anything caught it.</param>
public sealed record FaultHunt(PlantedFault Fault, int Seeds, FailingSeed? By, bool IsCancelled)
{
    /// <summary>Whether it was caught.</summary>
    public bool IsCaught => By is not null;
}
