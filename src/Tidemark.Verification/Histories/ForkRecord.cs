namespace Tidemark.Verification;

internal readonly record struct ForkRecord(uint Parent, uint Child, long AtRank, long NotBefore);
