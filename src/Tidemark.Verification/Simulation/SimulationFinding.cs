namespace Tidemark.Verification;

/// <summary>The kinds of findings of a seed.</summary>
public enum SimulationFinding
{
    /// <summary>The checker found a violated guarantee.</summary>
    Violation,

    /// <summary>An invariant of the library was broken: an endless wait, or a lease that was not returned.</summary>
    BrokenInvariant,

    /// <summary>The history contradicts itself and cannot be checked (<see cref="HistoryException"/>).</summary>
    Contradiction,

    /// <summary>A second run of the same seed differed from the first one.</summary>
    AnotherRun,

    /// <summary>The simulation itself failed with an error.</summary>
    Error,
}
