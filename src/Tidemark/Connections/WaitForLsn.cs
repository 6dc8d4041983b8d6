using System.Globalization;

namespace Tidemark;

/// <summary>
/// The statement with which PostgreSQL 19 waits for a position on the server, instead of repeated sampling. Written from its documentation;
/// no server of that version was available for a test.
/// </summary>
internal static class WaitForLsn
{
    /// <summary>The result of the statement if the position was reached.</summary>
    public const string Reached = "success";

    public static bool IsIn(int serverVersion) => serverVersion >= 19;

    /// <summary>
    /// Returns the statement. The position must be a literal, not a parameter. The timeout is at least 1 ms, because zero would mean no
    /// limit.
    /// </summary>
    public static string Text(WalPosition position, TimeSpan timeout)
    {
        var milliseconds = Math.Max(1, (long)timeout.TotalMilliseconds);
        return string.Create(CultureInfo.InvariantCulture,
            $"WAIT FOR LSN '{position.Lsn}' WITH (MODE 'standby_replay', TIMEOUT '{milliseconds}ms', NO_THROW)");
    }
}
