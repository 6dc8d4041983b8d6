using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>All log messages of the ASP.NET Core integration. 3xx: sessions across requests.</summary>
internal static partial class SessionLog
{
    [LoggerMessage(300, LogLevel.Warning,
        "Session cookie rejected: {Problem}. The request queries the primary once for the WAL position of its writes",
        EventName = "CookieRejected")]
    public static partial void CookieRejected(ILogger logger, string problem);

    [LoggerMessage(301, LogLevel.Information,
        "The WAL position of a request's writes is unknown, because the primary did not report it. The next request asks for it",
            EventName = "PositionUnknown")]
    public static partial void PositionUnknown(ILogger logger, Exception exception);

    [LoggerMessage(302, LogLevel.Error,
        "The session cookie could not be protected, so the browser's requests read from the primary for a day. Fix the Data Protection "
            + "key ring",
        EventName = "CookieNotWritten")]
    public static partial void CookieNotWritten(ILogger logger, Exception exception);
}
