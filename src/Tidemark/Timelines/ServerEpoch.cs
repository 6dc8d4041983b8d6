using System.Data.Common;

namespace Tidemark;

/// <summary>
/// One run of a server between restarts, as the server itself names it. A clean restart changes only the start time. The crash of one
/// backend
/// changes only the reset of the statistics. The death of the postmaster changes both. Facts about a node's position end with the epoch.
/// </summary>
/// <remarks>
/// Measured on PostgreSQL 15 to 18 as an ordinary role, on primaries and standbys. Servers that were copied from one template share the
/// reset of the
/// statistics and differ in the start time. <c>pg_stat_reset_shared</c> looks like a crash: a false alarm.
/// </remarks>
/// <param name="StartedAt"><c>pg_postmaster_start_time()</c>.</param>
/// <param name="StatisticsResetAt"><c>pg_stat_bgwriter.stats_reset</c>.</param>
internal readonly record struct ServerEpoch(DateTimeOffset StartedAt, DateTimeOffset StatisticsResetAt)
{
    /// <summary>The two columns of a query that <see cref="Read"/> reads.</summary>
    public const string Columns = "pg_postmaster_start_time(), pg_stat_get_bgwriter_stat_reset_time()";

    /// <summary>The epoch was never learned.</summary>
    public bool IsUnknown => this == default;

    /// <summary>No crash lies between the two epochs of one server: whatever the server had acknowledged, it still has.</summary>
    public bool IsSameButForCleanRestarts(ServerEpoch other) => StatisticsResetAt == other.StatisticsResetAt;

    /// <summary>Reads the two columns of a row.</summary>
    public static ServerEpoch Read(DbDataReader row, int column) => new(
        row.GetFieldValue<DateTimeOffset>(column), row.IsDBNull(column + 1) ? default : row.GetFieldValue<DateTimeOffset>(column + 1));
}
