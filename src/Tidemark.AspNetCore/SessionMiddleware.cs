using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Tidemark;

/// <summary>Runs each request in its own session. A cookie in the headers of the response carries what the session wrote.</summary>
internal sealed class SessionMiddleware(
    RequestDelegate next,
    TidemarkDataSource source,
    IDataProtectionProvider protection,
    TimeProvider? time = null)
{
    private static readonly Meter Meter = new("Tidemark");
    private static readonly Counter<long> RejectedCookies = Meter.CreateCounter<long>(
        "tidemark.rejected_cookies", "{request}", "Requests with a session cookie that was damaged, forged or of another cluster");

    // This logger swallows exceptions of logging providers, and has the category of all Tidemark messages.
    private readonly ILogger _logger = source.Cluster.Logger;
    private readonly SessionCookie _cookie = new(protection, time ?? TimeProvider.System);
    private readonly object _itemKey = new();
    private readonly SlotQuota _quota = new(time ?? TimeProvider.System);

    // An error page or a status page runs the pipeline again for the same request (UseExceptionHandler, UseStatusCodePagesWithReExecute).
    public Task InvokeAsync(HttpContext context) =>
        context.Items.TryGetValue(_itemKey, out var begun) ? EnterAsync(context, (ConsistencySession)begun!) : BeginAsync(context);

    private async Task EnterAsync(HttpContext context, ConsistencySession session)
    {
        using (source.Enter(session)) await next(context).ConfigureAwait(false);
    }

    private async Task BeginAsync(HttpContext context)
    {
        // The headers may be sent after this method has returned, so the session lives as long as the response.
        var session = source.BeginSession();
        context.Items[_itemKey] = session;
        context.Response.RegisterForDispose(session);
        await source.Cluster.Monitor.FirstRoundAsync(context.RequestAborted).ConfigureAwait(false);
        var slots = _cookie.Read(context.Request, out var problem);
        var isUnknown = Resume(session, slots, problem);
        context.Response.OnStarting(() => CarryAsync(context, session, slots, isUnknown));
        await next(context).ConfigureAwait(false);
    }

    /// <summary>
    /// Continues from the browser's earlier requests. Returns whether their position is unknown and a slot of this response can carry it. A
    /// <see cref="CookieSlots.Overflow"/> cookie stays, whatever the request learns.
    /// </summary>
    private bool Resume(ConsistencySession session, CookieSlots slots, string? problem)
    {
        foreach (var token in slots.Tokens)
        {
            try
            {
                source.Tokens.Continue(session, token);
            }
            catch (ArgumentException e)
            {
                problem ??= e.Message;
            }
        }

        if (problem is not null)
        {
            RejectedCookies.Add(1);
            SessionLog.CookieRejected(_logger, problem);
            session.Resume(written: null, isUnknown: true);
        }

        var isUnknown = session.IsUnknown;
        if (problem is null && slots.IsUnknown)
            session.Resume(written: null, isUnknown: true, unknown: new UnknownPosition(slots.UnknownSince));
        return isUnknown;
    }

    /// <summary>
    /// Sets a cookie if the request wrote, or learned what its cookies did not contain: otherwise every request would ask the primary
    /// again. A failure here does not fail the response, which reports what is committed. If the position was not learned, the cookie
    /// carries "unknown".
    /// </summary>
    private async Task CarryAsync(HttpContext context, ConsistencySession session, CookieSlots slots, bool wasUnknown)
    {
        var hasWritten = session.NeedsNewToken;
        CausalToken? token = null;
        if (hasWritten || (wasUnknown && !session.IsUnknown))
            token = await CaptureAsync(session, context.RequestAborted).ConfigureAwait(false);
        try
        {
            var latest = source.Cluster.Monitor.Snapshot.LatestTimeline;
            var change = token is null ? slots.Prune()
                : slots.Replace(CookieSlots.NewName(), hasWritten, IsCrowded(context, token, hasWritten), token.EarliestTimeline, latest);
            _cookie.Write(context, change, token);
        }
        catch (CryptographicException e)
        {
            SessionLog.CookieNotWritten(_logger, e);
            if (hasWritten) _cookie.WriteOverflow(context, CookieSlots.OverflowSince(token?.EarliestTimeline ?? 0));
        }
    }

    /// <summary>
    /// Returns whether too many responses to the same cookies have set a slot. A commit in doubt needs its own slot regardless, because no
    /// other slot names the server process in question.
    /// </summary>
    private bool IsCrowded(HttpContext context, CausalToken token, bool hasWritten)
    {
        // A browser without cookies is identified by its connection.
        var cookies = context.Request.Headers.Cookie.ToString();
        return !_quota.TryTake((cookies.Length > 0 ? cookies : context.Connection.Id).GetHashCode(StringComparison.Ordinal), hasWritten)
            && !token.IsInDoubt;
    }

    private async Task<CausalToken> CaptureAsync(ConsistencySession session, CancellationToken cancellationToken)
    {
        try
        {
            return await source.Tokens.CaptureAsync(session, ConsistencyDemands.Written, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or NpgsqlException or LostWriteException)
        {
            // The token still carries what is known about the session: its timeline, and the server processes that may still commit.
            SessionLog.PositionUnknown(_logger, e);
            return source.Tokens.Of(session, ConsistencyDemands.Written);
        }
    }
}
