using System.Collections.Immutable;

namespace Tidemark.Verification;

/// <summary>Contents of a page in addition to the history and its verdict.</summary>
public sealed record HistoryPageOptions
{
    /// <summary>The heading of the page. Default: "A history and its verdict".</summary>
    public string Title { get; init; } = "A history and its verdict";

    /// <summary>Facts in the order in which the page lists them, such as the parameters of a simulated cluster.</summary>
    public ImmutableArray<KeyValuePair<string, string>> Facts { get; init; } = [];

    /// <summary>Events on servers and processes, by the clock of the history.</summary>
    public ImmutableArray<HistoryPageEvent> Events { get; init; } = [];
}
