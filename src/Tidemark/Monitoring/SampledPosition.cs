using NpgsqlTypes;

namespace Tidemark;

/// <summary>What the traffic itself has shown of a node: a check of a read, or a position that was piggybacked on a write.</summary>
/// <param name="Epoch">The server's run that it was sampled in.</param>
/// <param name="SystemIdentifier">The server's cluster; zero: unknown.</param>
/// <param name="IsInRecovery">The server was a standby.</param>
/// <param name="Timeline">The timeline written to or followed; zero: not shown.</param>
/// <param name="Lsn">What a standby had replayed, what a primary had flushed.</param>
/// <param name="InsertLsn">The insert position of a primary, before any page header.</param>
/// <param name="SentAt">Monotonic time before the statement was sent that showed it.</param>
internal readonly record struct SampledPosition(
    ServerEpoch Epoch,
    ulong SystemIdentifier,
    bool IsInRecovery,
    uint Timeline,
    NpgsqlLogSequenceNumber Lsn,
    NpgsqlLogSequenceNumber InsertLsn,
    long SentAt);
