using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>One session for each request; what it wrote goes out in a cookie with the headers of the response.</summary>
internal sealed class SessionMiddleware(
    RequestDelegate next,
    TidemarkDataSource source,
    IDataProtectionProvider protection,
    ILogger<TidemarkDataSource> logger,
    TimeProvider? time = null)
{
    private readonly SessionCookie _cookie = new(protection, time ?? TimeProvider.System);

    public async Task InvokeAsync(HttpContext context)
    {
        // The headers may go out after this method has returned, so the session lives as long as the response.
        var session = source.BeginSession();
        context.Response.RegisterForDispose(session);
        var received = Resume(context, session);

        // A cookie that says "unknown" is replaced as soon as the position is known, or every request would ask the primary anew.
        var replaces = received is { IsPresent: true, Written: null };
        context.Response.OnStarting(() => CarryAsync(context, session, replaces));
        await next(context).ConfigureAwait(false);
    }

    private SessionCookie.Received Resume(HttpContext context, ConsistencySession session)
    {
        var received = _cookie.Read(context.Request, source.Cluster.Monitor.Snapshot.SystemIdentifier);
        if (received.Problem is { } problem) SessionLog.CookieNotBelieved(logger, problem);
        if (received.IsPresent) session.Resume(received.Written);
        return received;
    }

    /// <summary>Sets the cookie when the request wrote, or learned what its cookie did not know. A failure to learn the position must not fail the response: the cookie then says "unknown".</summary>
    private async Task CarryAsync(HttpContext context, ConsistencySession session, bool replaces)
    {
        if (!session.HasMoved && !(replaces && session.Written is not null)) return;
        try
        {
            await source.PrepareAsync(session, Consistency.ReadYourWrites, context.RequestAborted).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            SessionLog.PositionNotLearned(logger, e);
        }

        _cookie.Write(context, source.Cluster.Monitor.Snapshot.SystemIdentifier, session.Written);
    }
}
