using System.Data.Common;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>What a server reports about itself in the round trip of a read, before the read's snapshot is taken.</summary>
/// <param name="IsInRecovery"><see langword="true"/> if the server is a standby.</param>
/// <param name="Replayed">
/// The LSN that it has replayed, or <see langword="null"/> if it has replayed nothing or the role may not query the LSN.
/// </param>
/// <param name="Timeline">The timeline of its WAL receiver, or zero if it has no receiver or the role may not see it.</param>
/// <param name="LeastTimeline">
/// The timeline of its minimum recovery point. The server has replayed WAL of this timeline, and perhaps of a later one.
/// </param>
/// <param name="SystemIdentifier">The system identifier of its cluster.</param>
/// <param name="Epoch">Its epoch.</param>
internal readonly record struct CheckAnswer(
    bool IsInRecovery, NpgsqlLogSequenceNumber? Replayed, uint Timeline, uint LeastTimeline, ulong SystemIdentifier, ServerEpoch Epoch)
{
    private const string Rest = """
        (SELECT received_tli FROM pg_stat_wal_receiver), (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
        (SELECT system_identifier FROM pg_control_system()),
        """;

    private const string WithPosition = $"SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn(), {Rest} {ServerEpoch.Columns}";
    private const string WithoutPosition = $"SELECT pg_is_in_recovery(), NULL::pg_lsn, {Rest} {ServerEpoch.Columns}";

    /// <summary>Returns the query that produces the row.</summary>
    /// <param name="hidesPositions">Whether the role may not call the functions that return WAL positions.</param>
    public static string Sql(bool hidesPositions) => hidesPositions ? WithoutPosition : WithPosition;

    /// <summary>Reads the current row of the reader.</summary>
    public static CheckAnswer Read(DbDataReader row) => new(
        row.GetBoolean(0),
        row.IsDBNull(1) ? null : row.GetFieldValue<NpgsqlLogSequenceNumber>(1),
        row.IsDBNull(2) ? 0 : (uint)row.GetInt32(2),
        row.IsDBNull(3) ? 0 : (uint)row.GetInt32(3),
        (ulong)row.GetInt64(4),
        ServerEpoch.Read(row, 5));
}
