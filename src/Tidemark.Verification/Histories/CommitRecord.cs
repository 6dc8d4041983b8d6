namespace Tidemark.Verification;

/// <summary>A commit as the WAL has it, the key by its number in the history.</summary>
internal readonly record struct CommitRecord(int Key, int Version, long Value, uint Timeline, long Rank);
