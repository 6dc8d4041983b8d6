using System.Data.Common;

namespace Tidemark;

/// <summary>
/// Identifies one run of a server between restarts, from values that the server reports. A clean restart changes only the start time. The
/// crash of one backend changes only the statistics reset time. The death of the postmaster changes both. Facts about the position of a
/// node are void once its epoch ends.
/// </summary>
/// <remarks>
/// Measured on PostgreSQL 15 to 18 with an ordinary role, on primaries and standbys. Servers copied from one template share the statistics
/// reset time and differ in the start time. <c>pg_stat_reset_shared</c> looks like a crash, which is a false alarm.
/// </remarks>
/// <param name="StartedAt"><c>pg_postmaster_start_time()</c>.</param>
/// <param name="StatisticsResetAt"><c>pg_stat_bgwriter.stats_reset</c>.</param>
internal readonly record struct ServerEpoch(DateTimeOffset StartedAt, DateTimeOffset StatisticsResetAt)
{
    /// <summary>The two columns of a query that <see cref="Read"/> reads.</summary>
    public const string Columns = "pg_postmaster_start_time(), pg_stat_get_bgwriter_stat_reset_time()";

    /// <summary><see langword="true"/> if the epoch has never been read from the server.</summary>
    public bool IsUnknown => this == default;

    /// <summary>
    /// Returns whether the server did not crash between the two epochs. If so, it still has everything that it had acknowledged.
    /// </summary>
    public bool IsSameButForCleanRestarts(ServerEpoch other) => StatisticsResetAt == other.StatisticsResetAt;

    /// <summary>Reads the epoch from two columns of a row.</summary>
    public static ServerEpoch Read(DbDataReader row, int column) => new(
        row.GetFieldValue<DateTimeOffset>(column), row.IsDBNull(column + 1) ? default : row.GetFieldValue<DateTimeOffset>(column + 1));
}
