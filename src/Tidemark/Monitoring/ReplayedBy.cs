using NpgsqlTypes;

namespace Tidemark;

/// <summary>A position that a replica had replayed, and the monotonic time at which it arrived here.</summary>
internal readonly record struct ReplayedBy(NpgsqlLogSequenceNumber Lsn, long At);
