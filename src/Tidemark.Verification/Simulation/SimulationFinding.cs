namespace Tidemark.Verification;

/// <summary>What a seed can find.</summary>
public enum SimulationFinding
{
    /// <summary>The checker found a broken promise.</summary>
    Violation,

    /// <summary>An invariant of the library broke: a wait without end, a lease that did not come back.</summary>
    BrokenInvariant,

    /// <summary>What happened contradicts itself, so that it cannot be judged (<see cref="HistoryException"/>).</summary>
    Contradiction,

    /// <summary>The same seed gave another run the second time.</summary>
    AnotherRun,

    /// <summary>The simulation itself ended with an error.</summary>
    Error,
}
