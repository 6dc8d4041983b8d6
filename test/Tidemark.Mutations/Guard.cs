namespace Tidemark.Mutations;

/// <summary>A mutant described by hand.</summary>
/// <param name="File">The path below <c>src/Tidemark</c>.</param>
/// <param name="Snippet">A part of the source that occurs exactly once in the file.</param>
/// <param name="Replacement">The text that replaces it.</param>
/// <param name="Removes">The guard that is then missing.</param>
internal sealed record Guard(string File, string Snippet, string Replacement, string Removes);
