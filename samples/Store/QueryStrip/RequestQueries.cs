using System.Collections.Concurrent;
using System.Diagnostics;

namespace Store.QueryStrip;

/// <summary>The spans of one request. Its queries are read from them at the end of the page.</summary>
public sealed class RequestQueries
{
    private readonly ConcurrentQueue<Activity> _spans = [];

    /// <summary>The queries of the POST that redirected to this page; empty for any other page.</summary>
    public IReadOnlyList<RoutedQuery> Before { get; set; } = [];

    public void Add(Activity span) => _spans.Enqueue(span);

    /// <summary>Returns the queries so far, in the order in which they were sent.</summary>
    public IReadOnlyList<RoutedQuery> Read()
    {
        // Tidemark's span contains the node of a statement and the reason. Npgsql's span within it contains the SQL.
        var statements = _spans
            .Where(span => span.GetTagItem(RoutedQuery.TextTag) is not null)
            .ToLookup(span => span.ParentSpanId);
        return [.. _spans
            .Where(span => span.Source.Name == QuerySpans.Tidemark)
            .Where(span => statements.Contains(span.SpanId) || span.Status == ActivityStatusCode.Error)
            .Select(span => RoutedQuery.Of(span, [.. statements[span.SpanId]]))];
    }
}
