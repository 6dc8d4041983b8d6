namespace Tidemark.Verification;

/// <summary>One row as a read showed it.</summary>
/// <param name="Key">Key of the row.</param>
/// <param name="Version">Number of writes of the key that the row contains. 0 is the initial row.</param>
/// <param name="Value">Value of the write that produced this version. It is ignored for version 0.</param>
public readonly record struct Observation(long Key, long Version, long Value);
