namespace Tidemark.Verification;

/// <summary>How the state that an operation shows relates to a watermark, from best to worst.</summary>
internal enum Containment
{
    /// <summary>The state contains the watermark.</summary>
    Contains,

    /// <summary>A primary does not show a commit that is not acknowledged yet, although a replica already showed it.</summary>
    NotYetVisible,

    /// <summary>History continued without part of the watermark.</summary>
    WentOnWithout,

    /// <summary>The state misses part of the watermark that its history contains, or should contain.</summary>
    Misses,
}
