using System.Text.RegularExpressions;

namespace Tidemark.House;

/// <summary>The rules in CONTRIBUTING.md that apply to every file.</summary>
public sealed partial class TidyTests
{
    private const int MostColumns = 140;

    private static readonly string[] Folders = ["src", "test", "samples", "bench", "docs"];
    private static readonly string[] Pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];

    // Phrases that readers had to translate. Names of methods are not searched, because `_` is a word character.
    private static readonly string[] Banned =
    [
        "(?<!there )(?<!if )is no(ne)?(?! longer| more)", "(?<!there )are no(ne)?(?! longer| more)", "for want of", "anew", "told",
            "tells?",
        "hears?", "believe[sd]?", "in the midst", "(nobody|somebody|whoever) (who|can|has|had|is|was|knows|wrote|else|may|will|reads?)",
        "for ever", "spoilt", "horizons?", "sights?", "incarnation", "witness(es|ed)?", "harvest(s|ed)?", "mend(s|ed)?", "go(es)? on with",
        "went on", "gone on", "goes on", "stands behind", "comes to its end", "for the eye", "its feet", "takes nothing back", "is one too",
        "said to be", "wherever that leads", "of the (caller|user)'s own", "(a|the) life of", "its life", "lives of", "cut short",
        "in good order", "of its own accord", "is at it", "to be had", "by no way", "parted from", "stands? still", "gives? way",
        "has come to", "without a word", "in vain", "whichever came first", "takes itself for", "hands on", "the last word",
        "by its own word", "brings along", "lets go of", "for people", "comes along",
    ];

    [Fact]
    public void Comments_messages_and_pages_are_in_plain_English()
    {
        var words = new Regex($@"\b({string.Join('|', Banned)})\b", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture);
        var found = from file in Everything
                    where !file.EndsWith("/TidyTests.cs", StringComparison.Ordinal)
                    from line in SourceTree.Read(file).Split('\n').Index()
                    from match in words.Matches(Prose(file, line.Item))
                    select $"{file}:{line.Index + 1}: {match.Value}";

        found.ShouldBeEmpty();
    }

    [Fact]
    public void No_line_is_wider_than_140_columns()
    {
        var wide = from file in Everything
                   where !file.Contains("/Generated/", StringComparison.Ordinal)
                   from line in Breakable(file)
                   where line.Text.Length > MostColumns
                   select $"{file}:{line.Number}";

        wide.ShouldBeEmpty();
    }

    [Fact]
    public void Every_file_has_one_top_level_type_and_its_name()
    {
        var others = from file in Folders.SelectMany(folder => SourceTree.Files(folder, ".cs"))
                     where !file.EndsWith(".cshtml.cs", StringComparison.Ordinal)
                         && !file.Contains("/Migrations/", StringComparison.Ordinal)
                         && !file.Contains("/Generated/", StringComparison.Ordinal)
                     let types = TopLevelType().Matches(SourceTree.CodeOf(file))
                         .Where(m => m.Groups["kind"].Value is not ("enum" or "delegate") || m.Groups["access"].Value == "public")
                         .Select(m => m.Groups["name"].Value).Distinct().ToArray()
                     where types.Length > 1 || (types.Length == 1 && types[0] != Path.GetFileNameWithoutExtension(file))
                     select $"{file}: {string.Join(", ", types)}";

        others.ShouldBeEmpty();
    }

    [Fact]
    public void Every_relative_link_of_a_page_leads_to_a_file()
    {
        var broken = from file in Pages.Concat(SourceTree.Files("docs", ".md"))
                     from link in Link().Matches(SourceTree.Read(file)).Select(m => m.Groups["target"].Value)
                     where !link.Contains("://", StringComparison.Ordinal) && !link.StartsWith('#')
                     let target = Path.Combine(SourceTree.Root, Path.GetDirectoryName(file)!, link.Split('#')[0])
                     where !File.Exists(target) && !Directory.Exists(target)
                     select $"{file}: {link}";

        broken.ShouldBeEmpty();
    }

    /// <summary>Returns what a person reads of a line: a page, a comment, the texts in code.</summary>
    private static string Prose(string file, string line) =>
        !file.EndsWith(".cs", StringComparison.Ordinal) || line.TrimStart().StartsWith("//", StringComparison.Ordinal)
            ? line : string.Join(' ', TextOrComment().Matches(line).Select(match => match.Value));

    private static IEnumerable<string> Everything =>
        Folders.SelectMany(folder => SourceTree.Files(folder, ".cs", ".md", ".cshtml")).Concat(Pages);

    // A table row, a link, a code block, a raw string and an interpolated string may be wider: each is a single token, or a line break
    // would be visible.
    private static IEnumerable<(int Number, string Text)> Breakable(string file)
    {
        var isRaw = false;
        foreach (var (index, line) in SourceTree.Read(file).Split('\n').Index())
        {
            var isTurn = file.EndsWith(".md", StringComparison.Ordinal)
                ? line.TrimStart().StartsWith("```", StringComparison.Ordinal)
                : line.Split("\"\"\"").Length % 2 == 0;
            var isWhole = file.EndsWith(".cs", StringComparison.Ordinal)
                ? isRaw || isTurn || line.Contains("$\"", StringComparison.Ordinal) || line.Contains("\"\"\"", StringComparison.Ordinal)
                    || line.Contains("cref=\"", StringComparison.Ordinal) || line.StartsWith("#pragma", StringComparison.Ordinal)
                : isRaw || line.StartsWith('|') || line.StartsWith('<') || line.Contains("](", StringComparison.Ordinal)
                    || file.EndsWith(".cshtml", StringComparison.Ordinal);
            if (isTurn) isRaw = !isRaw;
            if (!isWhole) yield return (index + 1, line);
        }
    }

    [GeneratedRegex(
        @"^(?<access>public|internal)? ?((sealed|static|abstract|partial|readonly|ref|file) )*"
        + @"(?<kind>class|record struct|record class|record|struct|interface|enum|delegate [\w<>?]+) (?<name>\w+)", RegexOptions.Multiline)]
    private static partial Regex TopLevelType();

    [GeneratedRegex("""
        "(\\.|[^"\\])*"|//.*
        """)]
    private static partial Regex TextOrComment();

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();
}
