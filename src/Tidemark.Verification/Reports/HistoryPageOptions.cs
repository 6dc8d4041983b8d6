using System.Collections.Immutable;

namespace Tidemark.Verification;

/// <summary>What a page tells beside the history and its verdict.</summary>
public sealed record HistoryPageOptions
{
    /// <summary>The heading of the page.</summary>
    public string Title { get; init; } = "A history and its verdict";

    /// <summary>Facts in the order in which the page lists them, such as the shape of a simulated world.</summary>
    public ImmutableArray<KeyValuePair<string, string>> Facts { get; init; } = [];

    /// <summary>What happened to servers and processes, by the clock of the history.</summary>
    public ImmutableArray<HistoryPageEvent> Events { get; init; } = [];
}
