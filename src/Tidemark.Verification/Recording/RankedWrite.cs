namespace Tidemark.Verification;

/// <summary>A row that a transaction wrote, and the position at which the transaction's commit record begins.</summary>
internal readonly record struct RankedWrite(NotedWrite Write, uint Timeline, ulong Position);
