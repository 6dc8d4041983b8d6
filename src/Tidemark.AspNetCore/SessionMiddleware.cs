using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Tidemark;

/// <summary>One session for each request; what it wrote goes out in a cookie with the headers of the response.</summary>
internal sealed class SessionMiddleware(
    RequestDelegate next,
    TidemarkDataSource source,
    IDataProtectionProvider protection,
    TimeProvider? time = null)
{
    // It keeps what a provider throws to itself, and its category is that of all of Tidemark's messages.
    private readonly ILogger _logger = source.Cluster.Logger;
    private readonly SessionCookie _cookie = new(protection, time ?? TimeProvider.System);

    public async Task InvokeAsync(HttpContext context)
    {
        // The headers may go out after this method has returned, so the session lives as long as the response.
        var session = source.BeginSession();
        context.Response.RegisterForDispose(session);
        await source.Cluster.Monitor.FirstRoundAsync(context.RequestAborted).ConfigureAwait(false);
        var isUnknown = Resume(context, session);
        context.Response.OnStarting(() => CarryAsync(context, session, isUnknown));
        await next(context).ConfigureAwait(false);
    }

    /// <summary>Goes on where the browser's last request left off. True: where that was is not known.</summary>
    private bool Resume(HttpContext context, ConsistencySession session)
    {
        var received = _cookie.Read(context.Request);
        var problem = received.Problem;
        if (received.Token is { } token)
        {
            try
            {
                source.Tokens.Continue(session, token);
            }
            catch (ArgumentException e)
            {
                problem = e.Message;
            }
        }

        if (problem is not null) SessionLog.CookieNotBelieved(_logger, problem);
        if (received.IsPresent && (problem is not null || received.Token is null)) session.Resume(written: null, isUnknown: true);
        return session.IsUnknown;
    }

    /// <summary>
    /// Sets the cookie when the request wrote, or learned what its cookie did not know: or every request would ask the primary anew. No failure of it fails the
    /// response, which tells of what is committed: where the position was not learned the cookie says "unknown".
    /// </summary>
    private async Task CarryAsync(HttpContext context, ConsistencySession session, bool wasUnknown)
    {
        if (!session.HasMoved && (!wasUnknown || session.IsUnknown)) return;
        if (await CaptureAsync(session, context.RequestAborted).ConfigureAwait(false) is not { } token) return;
        try
        {
            _cookie.Write(context, token);
        }
        catch (CryptographicException e)
        {
            SessionLog.CookieNotWritten(_logger, e);
        }
    }

    private async Task<CausalToken?> CaptureAsync(ConsistencySession session, CancellationToken cancellationToken)
    {
        try
        {
            return await source.Tokens.CaptureAsync(session, ConsistencyDemands.Written, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or NpgsqlException or LostWriteException)
        {
            SessionLog.PositionNotLearned(_logger, e);
            return session.HasMoved ? source.Tokens.Unknown() : null;
        }
    }
}
