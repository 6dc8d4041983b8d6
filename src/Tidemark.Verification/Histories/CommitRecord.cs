namespace Tidemark.Verification;

/// <summary>A commit as recorded in the WAL. The key is identified by its number in the history.</summary>
internal readonly record struct CommitRecord(int Key, int Version, long Value, uint Timeline, long Rank);
