using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// A crash of the primary on its timeline: acknowledged commits that were not flushed are gone, and later WAL passes their positions.
/// </summary>
/// <param name="Timeline">The timeline it happened on.</param>
/// <param name="AtLeast">Everything up to here was flushed, and survived.</param>
/// <param name="AtMost">Where the primary stood when it was first seen again.</param>
/// <param name="PrimaryEpoch">The number of the primary's life that began with it, as this process counts.</param>
/// <param name="IsRollback">The primary was back before what it had flushed: replicas may have shown what is gone.</param>
internal readonly record struct Crash(uint Timeline, NpgsqlLogSequenceNumber AtLeast, NpgsqlLogSequenceNumber AtMost, int PrimaryEpoch,
    bool IsRollback);
