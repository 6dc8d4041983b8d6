namespace Tidemark.Verification;

/// <summary>A row that a read showed, as recorded. The key is identified by its number in the history.</summary>
internal readonly record struct ShownRow(int Key, int Version, long Value);
