namespace Tidemark.Verification;

/// <summary>One row as a read showed it.</summary>
/// <param name="Key">The key of the row.</param>
/// <param name="Version">How many writes of the key it contains; 0 is the row as it was in the beginning.</param>
/// <param name="Value">The value of the write that made this version. Of version 0 it is not looked at.</param>
public readonly record struct Observation(long Key, long Version, long Value);
