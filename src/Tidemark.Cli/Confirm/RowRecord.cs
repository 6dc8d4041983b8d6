namespace Tidemark.Cli.Confirm;

/// <summary>The result of reading the row on a replica.</summary>
/// <param name="Node">The replica.</param>
/// <param name="Milliseconds">Milliseconds from the commit to the first read that showed the row; <c>null</c> if none did.</param>
/// <param name="Problem">Why no read showed the row.</param>
internal sealed record RowRecord(string Node, double? Milliseconds, string? Problem);
