namespace Tidemark.Verification;

/// <summary>A write that was recorded under a key, and its position in the true history.</summary>
internal sealed record WriteUnderKey(string Key, int Writer, long NotedAt, WalBranch Branch, ulong End);
