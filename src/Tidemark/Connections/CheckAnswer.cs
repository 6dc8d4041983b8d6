using System.Data.Common;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>What a server says of itself in the round trip of a read, before the read's snapshot is taken.</summary>
/// <param name="IsInRecovery">It is a standby.</param>
/// <param name="Replayed">What it has replayed; <see langword="null"/>: nothing, or the role may not ask.</param>
/// <param name="Timeline">The timeline that its receiver follows; zero: there is no receiver, or the role does not see it.</param>
/// <param name="LeastTimeline">
/// The timeline of its minimum recovery point: it has replayed WAL of that one, and perhaps of a later one.
/// </param>
/// <param name="SystemIdentifier">The identity of its cluster.</param>
/// <param name="Epoch">Its run.</param>
internal readonly record struct CheckAnswer(
    bool IsInRecovery, NpgsqlLogSequenceNumber? Replayed, uint Timeline, uint LeastTimeline, ulong SystemIdentifier, ServerEpoch Epoch)
{
    private const string Rest = """
        (SELECT received_tli FROM pg_stat_wal_receiver), (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
        (SELECT system_identifier FROM pg_control_system()),
        """;

    private const string WithPosition = $"SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn(), {Rest} {ServerEpoch.Columns}";
    private const string WithoutPosition = $"SELECT pg_is_in_recovery(), NULL::pg_lsn, {Rest} {ServerEpoch.Columns}";

    /// <summary>The query that brings the row.</summary>
    /// <param name="hidesPositions">The role may not call the functions that tell positions.</param>
    public static string Question(bool hidesPositions) => hidesPositions ? WithoutPosition : WithPosition;

    /// <summary>Reads the row that the reader stands on.</summary>
    public static CheckAnswer Read(DbDataReader row) => new(
        row.GetBoolean(0),
        row.IsDBNull(1) ? null : row.GetFieldValue<NpgsqlLogSequenceNumber>(1),
        row.IsDBNull(2) ? 0 : (uint)row.GetInt32(2),
        row.IsDBNull(3) ? 0 : (uint)row.GetInt32(3),
        (ulong)row.GetInt64(4),
        ServerEpoch.Read(row, 5));
}
