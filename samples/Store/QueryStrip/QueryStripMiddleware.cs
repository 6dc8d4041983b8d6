using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Caching.Memory;

namespace Store.QueryStrip;

/// <summary>
/// Collects the queries of each request. Keeps those of a POST that ends in a redirect for 10 s, so that the next page shows the write and
/// the reads after it together.
/// </summary>
internal sealed class QueryStripMiddleware(RequestDelegate next, IMemoryCache cache, QuerySpans spans)
{
    private const string Cookie = "queries-before";
    private static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(10);

    public Task InvokeAsync(HttpContext context, RequestQueries queries)
    {
        if (context.Features.Get<IHttpActivityFeature>()?.Activity is { } request) spans.Follow(request, queries);
        if (context.Request.Cookies.TryGetValue(Cookie, out var key) && cache.TryGetValue(key, out IReadOnlyList<RoutedQuery>? before))
            queries.Before = before!;

        context.Response.OnStarting(() =>
        {
            if (context.Response.StatusCode == StatusCodes.Status302Found)
            {
                IReadOnlyList<RoutedQuery> kept = [.. queries.Before, .. queries.Read()];
                var id = Guid.NewGuid().ToString("N");
                cache.Set(id, kept, KeptFor);
                context.Response.Cookies.Append(Cookie, id, new CookieOptions { MaxAge = KeptFor, HttpOnly = true });
            }
            else if (key is not null)
            {
                context.Response.Cookies.Delete(Cookie);
            }

            return Task.CompletedTask;
        });
        return next(context);
    }
}
