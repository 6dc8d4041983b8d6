using System.Globalization;

namespace Tidemark;

/// <summary>
/// The statement with which PostgreSQL 19 waits for a position by itself, in place of asking again and again. Known from its documentation;
/// no server of
/// that version could be had to run it.
/// </summary>
internal static class WaitForLsn
{
    /// <summary>What the server answers when the position is reached.</summary>
    public const string Reached = "success";

    public static bool IsIn(int serverVersion) => serverVersion >= 19;

    /// <summary>
    /// The statement. The position is a literal there, and no parameter; a time-out of less than a millisecond would mean for ever.
    /// </summary>
    public static string Text(WalPosition position, TimeSpan timeout)
    {
        var milliseconds = Math.Max(1, (long)timeout.TotalMilliseconds);
        return string.Create(CultureInfo.InvariantCulture,
            $"WAIT FOR LSN '{position.Lsn}' WITH (MODE 'standby_replay', TIMEOUT '{milliseconds}ms', NO_THROW)");
    }
}
