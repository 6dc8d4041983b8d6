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

    [Theory]
    [InlineData("## Cluster settings", typeof(TidemarkOptions))]
    [InlineData("## Node settings", typeof(NodeOptions))]
    public void Settings_are_those_of_the_options_with_their_defaults(string section, Type type)
    {
        var options = Activator.CreateInstance(type);
        var expected = type.GetProperties().Select(p => (p.Name, Default: Default(p.GetValue(options))));
        var documented = ReferencePage.Rows(Configuration, section).Select(row => (Name: row[0], Default: Uniform(row[1])))
            .Where(row => type != typeof(TidemarkOptions) || row.Name != "ConnectionString");     // configuration only; AddNodes in code

        documented.OrderBy(row => row.Name).ShouldBe(expected.OrderBy(row => row.Name));
    }

    [Fact]
    public void Settings_are_those_that_the_configuration_reader_accepts()
    {
        var accepted = ReaderCase().Matches(SourceTree.Read("src/Tidemark/Configuration/TidemarkOptionsReader.cs"))
            .Select(m => m.Groups["name"].Value);
        var documented = ReferencePage.Rows(Configuration, "## Cluster settings")
            .Concat(ReferencePage.Rows(Configuration, "## Node settings")).Select(row => row[0].ToUpperInvariant());

        documented.Order().ShouldBe(accepted.Order());
    }

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

    private static string Default(object? value) => value switch
    {
        null or System.Collections.ICollection => "none",
        "" => "required",
        TimeSpan time when time.TotalHours >= 1 => $"{time.TotalHours:0} h",
        TimeSpan time => $"{time.TotalMilliseconds:0} ms",
        bool flag => flag ? "true" : "false",
        int or double => string.Create(CultureInfo.InvariantCulture, $"{value:#,0.##}"),
        _ => value.ToString()!,
    };

    // Npgsql's own default applies where Tidemark sets none.
    private static string Uniform(string documented) => documented.StartsWith("Npgsql's (", StringComparison.Ordinal) ? "none" : documented;

    [GeneratedRegex("""case "(?<name>[A-Z]+)":""")]
    private static partial Regex ReaderCase();

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
