using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Tidemark;

/// <summary>Each C# snippet of a page is code that is compiled here.</summary>
public sealed partial class SnippetTests
{
    private const string Indentation = "        ";

    private static readonly string[] Compiled =
        ["Docs/PageExamples.cs", "Docs/ReadmeExample.cs", "EntityFrameworkCore/MirrorExample.cs"];

    [Fact]
    public void Every_snippet_of_a_page_is_compiled_code()
    {
        var code = string.Join('\n', Compiled.SelectMany(file => File.ReadAllLines(Path.Combine(Here(), "..", file)))
            .Select(line => line.StartsWith(Indentation, StringComparison.Ordinal) ? line[Indentation.Length..] : line));
        var root = Path.Combine(Here(), "..", "..", "..");
        string[] pages =
            [Path.Combine(root, "README.md"), .. Directory.GetFiles(Path.Combine(root, "docs"), "*.md", SearchOption.AllDirectories)];
        var snippets = (
            from page in pages
            from Match m in Snippet().Matches(File.ReadAllText(page))
            select (Page: Path.GetFileName(page), Code: m.Groups["code"].Value)).ToList();

        snippets.Count.ShouldBeGreaterThan(8);
        snippets.Where(snippet => !code.Contains(snippet.Code, StringComparison.Ordinal)).ShouldBeEmpty();
    }

    private static string Here([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;

    [GeneratedRegex("```csharp\n(?<code>.*?)```", RegexOptions.Singleline)]
    private static partial Regex Snippet();
}
