using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// A position of a node that was observed in traffic: by the check of a read, or by a query that was piggybacked on a write.
/// </summary>
/// <param name="Epoch">The epoch of the server in which it was sampled.</param>
/// <param name="SystemIdentifier">The system identifier of the server, or 0 if unknown.</param>
/// <param name="IsInRecovery"><see langword="true"/> if the server was a standby.</param>
/// <param name="Timeline">The timeline that the server writes or follows, or 0 if not shown.</param>
/// <param name="Lsn">The replay position of a standby, or the flush position of a primary.</param>
/// <param name="InsertLsn">The insert position of a primary, before any page header.</param>
/// <param name="SentAt">Monotonic time before the statement that returned the position was sent.</param>
internal readonly record struct SampledPosition(
    ServerEpoch Epoch,
    ulong SystemIdentifier,
    bool IsInRecovery,
    uint Timeline,
    NpgsqlLogSequenceNumber Lsn,
    NpgsqlLogSequenceNumber InsertLsn,
    long SentAt);
