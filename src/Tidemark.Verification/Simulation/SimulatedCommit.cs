namespace Tidemark.Verification;

/// <summary>A commit in the WAL: one new version of one row.</summary>
/// <param name="End">End of its record. A node that has replayed this position shows the commit.</param>
/// <param name="Key">Key of the row.</param>
/// <param name="Version">Number of versions of the row, including this one.</param>
/// <param name="Value">A value that is unique among all writes.</param>
internal sealed record SimulatedCommit(ulong End, int Key, int Version, long Value);
