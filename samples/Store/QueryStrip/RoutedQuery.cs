using System.Diagnostics;

namespace Store.QueryStrip;

/// <summary>One query, or one attempt of it, as the query strip shows it.</summary>
/// <param name="Sql">
/// The SQL that was sent: the query, in some cases after a check that the replica has what the read must include. Empty if no connection
/// could be opened.
/// </param>
/// <param name="Node">The name of the node.</param>
/// <param name="Role">The role of the node: <c>primary</c> or <c>replica</c>.</param>
/// <param name="Reason">Why this node was chosen, as text.</param>
/// <param name="Decision">The whole decision: the reason for this node, and why each other node was not chosen.</param>
/// <param name="Duration">The time from the decision to the first row.</param>
/// <param name="Failure">The error, or <c>null</c> if there was none.</param>
public sealed record RoutedQuery(
    IReadOnlyList<string> Sql, string Node, string Role, string Reason, string Decision, TimeSpan Duration, string? Failure)
{
    /// <summary>The tag in which Npgsql stores the SQL.</summary>
    public const string TextTag = "db.query.text";

    /// <summary>
    /// The start of the check that Tidemark sends before the query in the same round trip, if a replica must be verified.
    /// </summary>
    private const string Check = "SELECT pg_is_in_recovery()";

    /// <summary>The query without that check, in one line.</summary>
    public string Line
    {
        get
        {
            var text = Sql.LastOrDefault("");
            var query = text.StartsWith(Check, StringComparison.Ordinal)
                ? text[(text.IndexOf(';', StringComparison.Ordinal) + 1)..] : text;
            return string.Join(' ', query.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        }
    }

    /// <summary>Reads a query from its spans.</summary>
    /// <param name="route">Tidemark's span.</param>
    /// <param name="statements">Npgsql's spans within it.</param>
    public static RoutedQuery Of(Activity route, IReadOnlyList<Activity> statements)
    {
        string Tag(string name) => route.GetTagItem(name) as string ?? "";

        // "pg-2 (replica): it has replayed what the read must include", then one line for each other node.
        var decision = Tag("tidemark.decision");
        var reason = decision.Split('\n')[0].Split("): ", 2)[^1];
        var failed = statements.Prepend(route).FirstOrDefault(span => span.Status == ActivityStatusCode.Error);
        return new RoutedQuery(
            [.. statements.Select(span => (string)span.GetTagItem(TextTag)!)],
            Tag("tidemark.node"), Tag("tidemark.role"), reason, decision, route.Duration,
            failed is null ? null : $"failed: {failed.StatusDescription}");
    }
}
