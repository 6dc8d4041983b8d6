using System.Globalization;

namespace Tidemark;

/// <summary>
/// The properties of a LINQ query that determine its route. They pass from the query to its command as tags, which are comments in the SQL
/// and are removed before the text is sent. Values that may differ between runs pass as query parameters, and the tags name those
/// parameters.
/// </summary>
internal sealed record QueryRoute
{
    public const string ConsistencyTag = "tidemark consistency ";
    public const string ConsistencyOfTag = "tidemark consistency-of ";
    public const string NodeTag = "tidemark node ";
    public const string NodeOfTag = "tidemark node-of ";
    public const string RuleTag = "tidemark rule ";
    public const string RuledTag = "tidemark ruled";
    public const string TracksTag = "tidemark tracks";
    public const string RawTag = "tidemark raw";
    public const string KnownTag = "tidemark query";
    public const string ReloadsTag = "tidemark reloads";

    private const string Comment = "-- ";
    private const string Mark = "-- tidemark ";

    public static QueryRoute Plain { get; } = new();

    /// <summary>
    /// Whether Tidemark examined the query when it was compiled. Nothing is known about any other query, such as a precompiled one, or one
    /// of a context in which another extension took Tidemark's place.
    /// </summary>
    public bool IsKnown { get; init; }

    /// <summary>Whether the query reads the values of a tracked entity again (<c>Reload</c>, <c>GetDatabaseValues</c>).</summary>
    public bool Reloads { get; init; }

    /// <summary>Whether the query hands out entities that the context tracks.</summary>
    public bool Tracks { get; init; }

    /// <summary>Whether part of the query is the caller's own SQL.</summary>
    public bool IsRaw { get; init; }

    /// <summary>The most demanding rule of the model for the entities in the query.</summary>
    public Consistency? Rule { get; init; }

    /// <summary>Whether the model has a rule for each entity in the query.</summary>
    public bool IsRuled { get; init; }

    private Consistency? Consistency { get; init; }

    private string[] ConsistencyOf { get; init; } = [];

    private string? Node { get; init; }

    private string? NodeOf { get; init; }

    /// <summary>Returns the level that the query itself sets in this run: the most demanding one if it sets several.</summary>
    public Consistency? ConsistencyIn(IReadOnlyDictionary<string, object?>? parameters)
    {
        var asked = Consistency;
        foreach (var name in ConsistencyOf)
        {
            if (parameters?.GetValueOrDefault(name) is Consistency own) asked = With(asked, own);
        }

        return asked;
    }

    /// <summary>Returns the node that the query names in this run.</summary>
    public string? NodeIn(IReadOnlyDictionary<string, object?>? parameters) =>
        NodeOf is null ? Node : parameters?.GetValueOrDefault(NodeOf) as string ?? Node;

    /// <summary>Reads the tags at the start of the SQL, and returns the SQL without them. Other tags are kept.</summary>
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
        KnownTag => this with { IsKnown = true },
        ReloadsTag => this with { Reloads = true },
        RuledTag => this with { IsRuled = true },
        _ when After(tag, RuleTag) is { } rule => this with { Rule = Parse(rule) },
        _ when After(tag, ConsistencyTag) is { } level => this with { Consistency = With(Consistency, Parse(level)) },
        _ when After(tag, ConsistencyOfTag) is { } name => this with { ConsistencyOf = [.. ConsistencyOf, name] },
        _ when After(tag, NodeTag) is { } node => this with { Node = node },
        _ when After(tag, NodeOfTag) is { } name => this with { NodeOf = name },
        _ => this,
    };

    private static string? After(string tag, string start) => tag.StartsWith(start, StringComparison.Ordinal) ? tag[start.Length..] : null;

    private static Consistency Parse(string level) => Tidemark.Consistency.Parse(level, CultureInfo.InvariantCulture);

    private static Consistency With(Consistency? one, Consistency other) =>
        one is { } known ? Tidemark.Consistency.MostDemanding(known, other) : other;
}
