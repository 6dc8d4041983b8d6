using System.Diagnostics;

namespace Store.QueryStrip;

/// <summary>
/// Adds each span of Tidemark and Npgsql to the request in which it started. Ignores spans outside a request.
/// </summary>
internal sealed class QuerySpans : IDisposable
{
    public const string Tidemark = "Tidemark";

    private readonly ActivityListener _listener = new()
    {
        // The request's own span comes from Microsoft.AspNetCore and is the parent of the others.
        ShouldListenTo = source => source.Name is Tidemark or "Npgsql" or "Microsoft.AspNetCore",
        Sample = (ref _) => ActivitySamplingResult.AllData,
        ActivityStarted = Collect,
    };

    public QuerySpans() => ActivitySource.AddActivityListener(_listener);

    /// <summary>Starts to collect the spans within <paramref name="request"/>.</summary>
    public void Follow(Activity request, RequestQueries queries) => request.SetCustomProperty(nameof(RequestQueries), queries);

    public void Dispose() => _listener.Dispose();

    private static void Collect(Activity span)
    {
        for (var outer = span.Parent; outer is not null; outer = outer.Parent)
        {
            if (outer.GetCustomProperty(nameof(RequestQueries)) is not RequestQueries queries) continue;
            queries.Add(span);
            return;
        }
    }
}
