using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// A crash of the primary on its timeline. Acknowledged commits that were not flushed are lost, and new WAL reuses their positions.
/// </summary>
/// <param name="Timeline">The timeline on which the primary crashed.</param>
/// <param name="AtLeast">WAL up to this position was flushed and survived the crash.</param>
/// <param name="AtMost">The position of the primary when it was first observed after the crash.</param>
/// <param name="PrimaryEpoch">The number of the primary's epoch that began with the crash, counted by this process.</param>
/// <param name="IsRollback">
/// <see langword="true"/> if the primary came back before its last flushed position; replicas may then have shown data that is lost.
/// </param>
internal readonly record struct Crash(uint Timeline, NpgsqlLogSequenceNumber AtLeast, NpgsqlLogSequenceNumber AtMost, int PrimaryEpoch,
    bool IsRollback);
