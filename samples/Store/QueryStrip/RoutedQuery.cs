using System.Diagnostics;

namespace Store.QueryStrip;

/// <summary>One query, or one attempt at it, as the strip shows it.</summary>
/// <param name="Sql">
/// What was sent: the query, perhaps behind the question whether the replica has what it must include. Empty when no connection could be
/// opened.
/// </param>
/// <param name="Node">The name of the node that got it.</param>
/// <param name="Role">What that node was: <c>primary</c> or <c>replica</c>.</param>
/// <param name="Reason">Why that node, in words.</param>
/// <param name="Decision">The same with every other node and why not that one.</param>
/// <param name="Duration">From the decision to the first row.</param>
/// <param name="Failure">What went wrong; null when nothing did.</param>
public sealed record RoutedQuery(
    IReadOnlyList<string> Sql, string Node, string Role, string Reason, string Decision, TimeSpan Duration, string? Failure)
{
    /// <summary>Where Npgsql puts the SQL.</summary>
    public const string TextTag = "db.query.text";

    /// <summary>How Tidemark's question to a replica begins, which travels before the query where the replica must prove itself.</summary>
    private const string Question = "SELECT pg_is_in_recovery()";

    /// <summary>The query itself in one line.</summary>
    public string Line
    {
        get
        {
            var text = Sql.LastOrDefault("");
            var query = text.StartsWith(Question, StringComparison.Ordinal)
                ? text[(text.IndexOf(';', StringComparison.Ordinal) + 1)..] : text;
            return string.Join(' ', query.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        }
    }

    /// <param name="route">Tidemark's span.</param>
    /// <param name="statements">Npgsql's spans within it.</param>
    public static RoutedQuery Of(Activity route, IReadOnlyList<Activity> statements)
    {
        string Tag(string name) => route.GetTagItem(name) as string ?? "";

        // "pg-2 (replica): it has replayed what the read must include", and a line for every other node.
        var decision = Tag("tidemark.decision");
        var reason = decision.Split('\n')[0].Split("): ", 2)[^1];
        var failed = statements.Prepend(route).FirstOrDefault(span => span.Status == ActivityStatusCode.Error);
        return new RoutedQuery(
            [.. statements.Select(span => (string)span.GetTagItem(TextTag)!)],
            Tag("tidemark.node"), Tag("tidemark.role"), reason, decision, route.Duration,
            failed is null ? null : $"failed: {failed.StatusDescription}");
    }
}
