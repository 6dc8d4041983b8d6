namespace Tidemark.Verification;

/// <summary>A write as the table records it in the WAL.</summary>
internal readonly record struct NotedWrite(long Key, long Version, long Value);
