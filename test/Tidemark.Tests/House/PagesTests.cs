using System.Text.RegularExpressions;

namespace Tidemark.House;

/// <summary>The pages lead to one another, and every file that they name exists.</summary>
public sealed partial class PagesTests
{
    private const string Index = "docs/README.md";

    private static readonly string[] CodeFolders = ["src", "test", "samples"];

    private static IEnumerable<string> Pages =>
        SourceTree.Files("docs", ".md").Concat(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]);

    [Fact]
    public void The_index_links_every_page()
    {
        var index = SourceTree.Read(Index);

        SourceTree.Files("docs", ".md").Except([Index])
            .Where(page => !index.Contains($"]({page["docs/".Length..]})", StringComparison.Ordinal)).ShouldBeEmpty();
    }

    [Fact]
    public void Every_anchor_of_a_link_is_a_heading()
    {
        var broken = from page in Pages
                     from Match m in Anchor().Matches(SourceTree.Read(page))
                     let path = Path.Combine(SourceTree.Root, Path.GetDirectoryName(page)!, m.Groups["page"].Value)
                     let target = m.Groups["page"].Length == 0 ? page : Path.GetRelativePath(SourceTree.Root, Path.GetFullPath(path))
                     where !ReferencePage.Anchors(target).Contains(m.Groups["anchor"].Value)
                     select $"{page}: {m.Value}";

        broken.ShouldBeEmpty();
    }

    [Fact]
    public void Every_test_class_and_source_file_that_a_page_names_exists()
    {
        var files = CodeFolders.SelectMany(folder => SourceTree.Files(folder, ".cs")).Select(Path.GetFileName)
            .ToHashSet();
        var missing = from page in Pages
                      from Match m in NamedFile().Matches(SourceTree.Read(page))
                      let file = m.Groups["file"].Value + ".cs"
                      where !files.Contains(file)
                      select $"{page}: {file}";

        missing.ShouldBeEmpty();
    }

    [GeneratedRegex(@"\]\((?<page>[\w./-]*\.md)?#(?<anchor>[\w-]+)\)", RegexOptions.ExplicitCapture)]
    private static partial Regex Anchor();

    [GeneratedRegex(@"(?<!Tidemark\.)\b(?<file>[A-Z][A-Za-z]+Tests)\b|`(?<file>[A-Z][A-Za-z]+)\.cs`", RegexOptions.ExplicitCapture)]
    private static partial Regex NamedFile();
}
