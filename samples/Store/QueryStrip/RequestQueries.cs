using System.Collections.Concurrent;
using System.Diagnostics;

namespace Store.QueryStrip;

/// <summary>The spans of one request, from which its queries are read when the page is nearly done.</summary>
public sealed class RequestQueries
{
    private readonly ConcurrentQueue<Activity> _spans = [];

    /// <summary>The queries of the POST that led to this page by a redirect; empty for any other page.</summary>
    public IReadOnlyList<RoutedQuery> Before { get; set; } = [];

    public void Add(Activity span) => _spans.Enqueue(span);

    /// <summary>The queries so far, in the order they were sent.</summary>
    public IReadOnlyList<RoutedQuery> Read()
    {
        // Tidemark has a span for where a statement went and why; within it is Npgsql's, which has the SQL.
        var statements = _spans
            .Where(span => span.GetTagItem(RoutedQuery.TextTag) is not null)
            .ToLookup(span => span.ParentSpanId);
        return [.. _spans
            .Where(span => span.Source.Name == QuerySpans.Tidemark)
            .Where(span => statements.Contains(span.SpanId) || span.Status == ActivityStatusCode.Error)
            .Select(span => RoutedQuery.Of(span, [.. statements[span.SpanId]]))];
    }
}
