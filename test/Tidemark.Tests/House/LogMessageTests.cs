using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;

namespace Tidemark.House;

/// <summary>Every log message of the core, rendered with every reason that it can contain.</summary>
public sealed partial class LogMessageTests
{
    private static readonly NodeState Node = Snapshots.Of(Snapshots.Primary(), Snapshots.Silence).Nodes[1];

    [Fact]
    public void Every_template_renders_a_sentence()
    {
        var methods = Messages();
        methods.Count.ShouldBeGreaterThan(15);

        foreach (var method in methods)
        {
            using var log = new RecordedLog();
            object?[] arguments = [.. method.GetParameters().Select(parameter => Sample(parameter.ParameterType, log))];
            method.Invoke(null, arguments);
            if (method.GetCustomAttribute<LoggerMessageAttribute>()!.Level < LogLevel.Information) continue;
            var text = log.Entries.ShouldHaveSingleItem(method.Name).Text;
            if (text != "pg-1") ShouldBeASentence(text, method.Name);
        }
    }

    [Fact]
    public void Every_template_of_the_other_packages_is_a_sentence()
    {
        var templates = from file in SourceTree.Files("src", ".cs")
                        where !file.StartsWith("src/Tidemark/", StringComparison.Ordinal)
                        from Match message in Attribute().Matches(SourceTree.Read(file))
                        select (file, Text: string.Concat(message.Groups["part"].Captures.Select(part => part.Value)));

        templates.Count().ShouldBeGreaterThan(3);
        foreach (var (file, text) in templates) ShouldBeASentence(Placeholder().Replace(text, "x"), file);
    }

    [Fact]
    public void An_event_is_named_like_its_method_and_no_two_share_a_number()
    {
        foreach (var method in Messages())
            method.GetCustomAttribute<LoggerMessageAttribute>()!.EventName.ShouldBe(method.Name);
        Messages().GroupBy(method => method.GetCustomAttribute<LoggerMessageAttribute>()!.EventId).ShouldAllBe(same => same.Count() == 1);
    }

    [Fact]
    public void Every_reason_for_a_route_has_its_own_text_in_the_message_of_a_slow_read()
    {
        var texts = Enum.GetValues<RouteReason>().Select(reason =>
        {
            using var log = new RecordedLog();
            Log.SlowRead(log, "pg-1", 12, RouteText.Of(reason), "SELECT 1");
            return log.Entries.ShouldHaveSingleItem().Text;
        }).ToArray();

        texts.ShouldBeUnique();
        foreach (var text in texts) ShouldBeASentence(text, "SlowRead");
    }

    [Fact]
    public void Every_reason_to_reject_a_node_has_a_text()
    {
        var snapshot = Snapshots.Of(Snapshots.Primary(), Snapshots.Silence);
        var read = new ReadRequirement { MustInclude = Snapshots.Position(200), MaxStaleness = TimeSpan.FromSeconds(1) };

        foreach (var reason in Enum.GetValues<RejectionReason>())
        {
            var text = RouteText.Of(reason, Node, snapshot, read);
            text.ShouldNotBeNullOrWhiteSpace(reason.ToString());
            ShouldBeASentence($"Node pg-1 {text}", reason.ToString());
        }
    }

    [Fact]
    public void Every_status_that_excludes_a_node_has_a_text_in_the_message()
    {
        var snapshot = Snapshots.Of(Snapshots.Primary(), Snapshots.Silence);
        var texts = Enum.GetValues<ConcludedStatus>().Except([ConcludedStatus.Primary, ConcludedStatus.Replica]).Select(status =>
        {
            var text = StatusText.Of(Node with { Status = status }, snapshot);
            text.ShouldNotBeNullOrWhiteSpace(status.ToString());
            using var log = new RecordedLog();
            Log.NodeRefused(log, "pg-1", text);
            return log.Entries.ShouldHaveSingleItem().Text;
        }).ToArray();

        texts.ShouldBeUnique();
        foreach (var text in texts) ShouldBeASentence(text, "NodeRefused");
    }

    [Fact]
    public void Every_kind_of_loss_is_a_sentence()
    {
        LostWrite[] losses =
        [
            LostWrite.Of(Snapshots.Position(200), isCertain: true, wasWritten: true, "the reason"),
            LostWrite.Of(Snapshots.Position(200), isCertain: false, wasWritten: false, "the reason"),
            LostWrite.OfUnknownPosition(1, 2),
            LostWrite.OfUnknownObservation(1, 2),
            LostWrite.OfCrash(wasWritten: true),
            LostWrite.OfCrash(wasWritten: false),
            LostWrite.OfDivergedReplica("pg-2"),
        ];

        foreach (var loss in losses) ShouldBeASentence(loss.ToString().TrimEnd('.'), loss.Reason);
    }

    private static List<MethodInfo> Messages() =>
        [.. typeof(Log).GetMethods(BindingFlags.Public | BindingFlags.Static)
            .Where(method => method.GetCustomAttribute<LoggerMessageAttribute>() is not null)];

    private static object? Sample(Type type, ILogger log) =>
        type == typeof(ILogger) ? log
        : type == typeof(Exception) ? new InvalidOperationException("a reason")
        : type == typeof(string) ? "pg-1"
        : Convert.ChangeType(7, type, provider: null);

    private static void ShouldBeASentence(string text, string name)
    {
        text.ShouldMatch("^[A-Z]", name);
        text.ShouldNotMatch(@"\{|\(null\)|  |\.$", name);
        JoinedWithoutSpace().IsMatch(text).ShouldBeFalse($"{name}: {text}");
    }

    [GeneratedRegex("""
        \[LoggerMessage\(\s*\d+,\s*LogLevel\.\w+,\s*("(?<part>[^"]*)"\s*\+?\s*)+,
        """, RegexOptions.ExplicitCapture)]
    private static partial Regex Attribute();

    [GeneratedRegex(@"\{\w+\}")]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"[a-z][.,;:][A-Z]|\)[a-zA-Z]")]
    private static partial Regex JoinedWithoutSpace();
}
