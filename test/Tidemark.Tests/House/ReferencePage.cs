using System.Text.RegularExpressions;

namespace Tidemark.House;

/// <summary>The tables and headings of a page, as tests compare them with the code.</summary>
internal static partial class ReferencePage
{
    /// <summary>
    /// Returns the rows of the first table after a heading, each as its cells without backticks around a whole cell. Fails without a table.
    /// </summary>
    /// <param name="page">The path of the page from the root of the repository.</param>
    /// <param name="start">The heading, or the introductory line of the table.</param>
    public static IReadOnlyList<string[]> Rows(string page, string start)
    {
        var rows = SourceTree.Read(page).Split('\n').SkipWhile(line => line != start)
            .SkipWhile(line => !line.StartsWith('|')).TakeWhile(line => line.StartsWith('|')).Skip(2).Select(Cells).ToList();
        rows.ShouldNotBeEmpty($"{page} has no table after '{start}'");
        return rows;
    }

    /// <summary>Returns the anchors of a page's headings, as GitHub derives them.</summary>
    public static IEnumerable<string> Anchors(string page) =>
        from line in SourceTree.Read(page).Split('\n')
        where line.StartsWith('#')
        select NotInAnchor().Replace(line.TrimStart('#').Trim(), "").ToLowerInvariant().Replace(' ', '-');

    private static string[] Cells(string row) => [.. row.Trim('|').Split('|').Select(cell => cell.Trim().Trim('`'))];

    [GeneratedRegex(@"[^\w\s-]")]
    private static partial Regex NotInAnchor();
}
