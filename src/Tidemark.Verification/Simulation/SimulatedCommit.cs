namespace Tidemark.Verification;

/// <summary>A commit in the WAL: one new version of one row.</summary>
/// <param name="End">Where its record ends: a node that has replayed this position shows it.</param>
/// <param name="Key">The row.</param>
/// <param name="Version">How many versions of the row there are with it.</param>
/// <param name="Value">What tells it from every other write.</param>
internal sealed record SimulatedCommit(ulong End, int Key, int Version, long Value);
