using System.Globalization;

namespace Tidemark;

/// <summary>
/// What is known of a LINQ query for routing. It travels from the query to its command as tags, which are comments in the SQL; they are taken out
/// again before the text is sent.
/// </summary>
internal sealed record QueryRoute
{
    public const string ConsistencyTag = "tidemark consistency ";
    public const string NodeTag = "tidemark node ";
    public const string TracksTag = "tidemark tracks";
    public const string RawTag = "tidemark raw";

    private const string Comment = "-- ";
    private const string Mark = "-- tidemark ";

    public static QueryRoute Plain { get; } = new();

    /// <summary>The query hands out entities that the context tracks.</summary>
    public bool Tracks { get; init; }

    /// <summary>Part of the query is SQL of the caller's own.</summary>
    public bool IsRaw { get; init; }

    public Consistency? Consistency { get; init; }

    public string? Node { get; init; }

    /// <summary>Reads the tags at the head of the SQL and gives the SQL without them; tags of others stay.</summary>
    public static (QueryRoute Route, string Sql) Read(string sql)
    {
        if (!sql.StartsWith(Comment, StringComparison.Ordinal) || !sql.Contains(Mark, StringComparison.Ordinal)) return (Plain, sql);

        var route = Plain;
        var others = "";
        var rest = sql;
        while (rest.StartsWith(Comment, StringComparison.Ordinal))
        {
            var end = rest.IndexOf('\n', StringComparison.Ordinal);
            if (end < 0) return (Plain, sql);
            var line = rest[..end].TrimEnd('\r');
            if (line.StartsWith(Mark, StringComparison.Ordinal)) route = route.With(line[Comment.Length..]);
            else others += line + "\n";
            rest = rest[(end + 1)..];
        }

        // EF Core puts an empty line between the tags and the statement.
        return (route, others.Length == 0 ? rest.TrimStart('\r', '\n') : others + rest);
    }

    private QueryRoute With(string tag) => tag switch
    {
        TracksTag => this with { Tracks = true },
        RawTag => this with { IsRaw = true },
        _ when tag.StartsWith(ConsistencyTag, StringComparison.Ordinal) =>
            this with { Consistency = Tidemark.Consistency.Parse(tag[ConsistencyTag.Length..], CultureInfo.InvariantCulture) },
        _ when tag.StartsWith(NodeTag, StringComparison.Ordinal) => this with { Node = tag[NodeTag.Length..] },
        _ => this,
    };
}
