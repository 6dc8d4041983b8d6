namespace Tidemark.Cli.Confirm;

/// <summary>A row, read back.</summary>
/// <param name="Node">The replica.</param>
/// <param name="Milliseconds">From the commit to the first read that showed the row; null: none did.</param>
/// <param name="Problem">Why none did.</param>
internal sealed record RowRecord(string Node, double? Milliseconds, string? Problem);
