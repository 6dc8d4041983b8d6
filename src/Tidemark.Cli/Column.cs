namespace Tidemark.Cli;

/// <summary>One column of a table.</summary>
/// <param name="Name">Its heading.</param>
/// <param name="Text">What it shows of a record.</param>
/// <param name="IsNumber">It stands to the right.</param>
/// <param name="Tone">What its colour says of a record; nothing by default.</param>
internal sealed record Column<T>(string Name, Func<T, string> Text, bool IsNumber = false, Func<T, Tone>? Tone = null);
