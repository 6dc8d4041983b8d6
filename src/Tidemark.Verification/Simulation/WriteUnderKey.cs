namespace Tidemark.Verification;

/// <summary>A write that was noted under a key, and where in true history it is.</summary>
internal sealed record WriteUnderKey(string Key, int Writer, long NotedAt, WalBranch Branch, ulong End);
