using System.Text.Json;

namespace Tidemark.Mutations;

/// <summary>
/// The content of <c>mutations.json</c>: the files to mutate, guards described by hand, and survivors that are equivalent.
/// </summary>
/// <param name="Files">Paths below <c>src/Tidemark</c>; a star stands for any file name.</param>
/// <param name="Guards">Mutants that the syntax does not suggest.</param>
/// <param name="Equivalent">Mutants that change nothing a caller can observe, each with the reason; the score does not count them.</param>
internal sealed record MutationPlan(string[] Files, Guard[] Guards, Equivalent[] Equivalent)
{
    public static MutationPlan Read(string path) =>
        JsonSerializer.Deserialize<MutationPlan>(File.ReadAllText(path), JsonSerializerOptions.Web)
        ?? throw new InvalidDataException($"{path} is empty.");

    /// <summary>The planned files that exist.</summary>
    /// <exception cref="InvalidDataException">A planned file does not exist.</exception>
    public IEnumerable<string> Expand(string source)
    {
        foreach (var pattern in Files)
        {
            var folder = Path.Combine(source, Path.GetDirectoryName(pattern)!);
            var found = Directory.EnumerateFiles(folder, Path.GetFileName(pattern)).Order(StringComparer.Ordinal).ToList();
            if (found.Count == 0) throw new InvalidDataException($"mutations.json lists {pattern}, which does not exist below {source}.");
            foreach (var file in found) yield return Path.GetRelativePath(source, file);
        }
    }
}
