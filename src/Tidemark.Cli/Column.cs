namespace Tidemark.Cli;

/// <summary>One column of a table.</summary>
/// <param name="Name">The heading.</param>
/// <param name="Text">The text for a record.</param>
/// <param name="IsNumber">Whether the column is aligned to the right.</param>
/// <param name="Tone">The colour for a record; no colour by default.</param>
internal sealed record Column<T>(string Name, Func<T, string> Text, bool IsNumber = false, Func<T, Tone>? Tone = null);
