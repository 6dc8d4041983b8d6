namespace Tidemark.Verification;

/// <summary>How what an operation shows stands to a horizon, from good to bad.</summary>
internal enum Containment
{
    /// <summary>It contains the horizon.</summary>
    Contains,

    /// <summary>A primary does not show yet what is not acknowledged yet either, though a replica did.</summary>
    NotYetVisible,

    /// <summary>History went on without something of the horizon.</summary>
    WentOnWithout,

    /// <summary>It misses something of the horizon that its history has, or should have.</summary>
    Misses,
}
