using System.Globalization;
using System.Text.RegularExpressions;

namespace Tidemark.House;

/// <summary>
/// The reference pages list exactly what the code has. <c>DoctorRulesTests</c> compares the ids of the doctor's findings, and
/// <c>SnippetTests</c> the snippets.
/// </summary>
public sealed partial class DocsTests
{
    private const string Configuration = "docs/configuration.md";
    private const string Telemetry = "docs/telemetry.md";

    [Fact]
    public void Options_of_the_cluster_are_those_that_the_code_declares() => ShouldBeDeclared(
        "## Cluster settings", OptionDeclarations.OfCluster, new TidemarkOptions(), structures: ["Nodes", "ConnectionString"]);

    [Fact]
    public void Options_of_a_node_are_those_that_the_code_declares() => ShouldBeDeclared(
        "## Node settings", OptionDeclarations.OfNode, new NodeOptions(), structures: ["ConnectionString"]);

    [Fact]
    public void Log_events_are_those_of_the_code_with_id_and_level()
    {
        var logged = from file in SourceTree.Files("src", ".cs")
                     from Match m in LogMessage().Matches(SourceTree.Read(file))
                     select $"{m.Groups["id"].Value} {m.Groups["event"].Value} {m.Groups["level"].Value}";

        ReferencePage.Rows(Telemetry, "## Log events").Select(row => $"{row[0]} {row[1]} {row[2]}").ShouldBe(logged.Order());
    }

    [Fact]
    public void Every_log_message_has_an_event_name_that_the_test_finds()
    {
        var attributes = SourceTree.Files("src", ".cs").Sum(file => SourceTree.Read(file).Split("[LoggerMessage(").Length - 1);

        ReferencePage.Rows(Telemetry, "## Log events").Count.ShouldBe(attributes);
    }

    [Fact]
    public void Metrics_are_the_instruments_of_the_code_with_their_units()
    {
        var instruments = from file in SourceTree.Files("src", ".cs")
                          from Match m in Instrument().Matches(SourceTree.Read(file))
                          select $"{m.Groups["name"].Value} {m.Groups["kind"].Value.ToLowerInvariant()} {m.Groups["unit"].Value}";

        ReferencePage.Rows(Telemetry, "## Metrics").Select(row => $"{row[0]} {row[1]} {row[2]}").Order().ShouldBe(instruments.Order());
    }

    [Fact]
    public void Span_tags_are_those_that_the_code_sets()
    {
        var tags = SpanTag().Matches(SourceTree.Read("src/Tidemark/Reads/RouteActivity.cs")).Select(m => m.Groups["name"].Value);

        ReferencePage.Rows(Telemetry, "## Spans").Select(row => row[0]).ShouldBe(tags);
    }

    [Theory]
    [InlineData("Why a statement went to its node (`RouteReason`):", typeof(RouteReason))]
    [InlineData("Why a node did not get a statement (`RejectionReason`):", typeof(RejectionReason))]
    public void Reasons_are_those_of_the_code(string table, Type reasons) =>
        ReferencePage.Rows(Telemetry, table).Select(row => row[0]).ShouldBe(Enum.GetNames(reasons));

    [Theory]
    [InlineData("docs/command-line.md", "src/Tidemark.Cli/Commands", false)]
    [InlineData("docs/local-clusters.md", "src/Tidemark.Cli/Commands/Local", true)]
    public void Commands_are_those_of_the_command_line(string page, string folder, bool isLocal)
    {
        var commands = from file in SourceTree.Files(folder, ".cs")
                       where file.Contains("/Local/", StringComparison.Ordinal) == isLocal
                       from Match m in CommandName().Matches(SourceTree.Read(file))
                       select m.Groups["name"].Value;
        IEnumerable<string> expected = isLocal ? commands.Except(["cluster"]) : commands.Append("cluster");

        ReferencePage.Rows(page, "## Commands").SelectMany(row => row[0].Split(", ")).Select(cell => cell.Trim('`').Split(' ')[0])
            .Order().ShouldBe(expected.Order());
    }

    private static void ShouldBeDeclared<TOwner>(
        string section, IReadOnlyList<OptionDeclaration<TOwner>> declared, TOwner defaults, string[] structures)
    {
        var expected = declared.Select(option => string.Join(" | ",
            option.Name, Default(option, defaults), option.Bounds, option.IsReloaded ? "on reload" : "on restart", option.Meaning));
        var rows = ReferencePage.Rows(Configuration, section).ToArray();
        var documented = rows.Where(row => !structures.Contains(row[0])).Select(row => string.Join(" | ", row.Select(Plain)));

        documented.ShouldBe(expected);
        rows.Select(row => row[0]).Intersect(structures).ShouldBe(structures, ignoreOrder: true);
    }

    private static string Default<TOwner>(OptionDeclaration<TOwner> option, TOwner defaults) => option.Get(defaults) switch
    {
        null => option.Unset,
        TimeSpan time when time.TotalHours >= 1 => $"{time.TotalHours:0} h",
        TimeSpan time => $"{time.TotalMilliseconds:0} ms",
        bool flag => flag ? "true" : "false",
        int or double => string.Create(CultureInfo.InvariantCulture, $"{option.Get(defaults):#,0.##}"),
        var value => value.ToString()!,
    };

    /// <summary>A cell without the targets of its links.</summary>
    private static string Plain(string cell) => LinkText().Replace(cell, "${text}");

    [GeneratedRegex(@"\[(?<text>[^\]]+)\]\([^)]+\)")]
    private static partial Regex LinkText();

    [GeneratedRegex(
        @"\[LoggerMessage\(\s*(?<id>\d+),\s*LogLevel\.(?<level>\w+),((?!\[LoggerMessage).)*?EventName\s*=\s*""(?<event>\w+)""",
        RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex LogMessage();

    [GeneratedRegex("""\.Create(?<kind>[A-Z]\w+)<\w+>\(\s*"(?<name>tidemark\.\w+)",\s*"(?<unit>[^"]+)",""")]
    private static partial Regex Instrument();

    [GeneratedRegex("""SetTag\("(?<name>[\w.]+)",""")]
    private static partial Regex SpanTag();

    [GeneratedRegex("""(base|NodeCommand)\(\s*terminal,\s*(environment,\s*)?"(?<name>[a-z]+)",""", RegexOptions.ExplicitCapture)]
    private static partial Regex CommandName();
}
