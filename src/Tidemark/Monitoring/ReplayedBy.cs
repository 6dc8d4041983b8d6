using NpgsqlTypes;

namespace Tidemark;

/// <summary>A position that a replica had replayed, and the monotonic time when that had arrived here.</summary>
internal readonly record struct ReplayedBy(NpgsqlLogSequenceNumber Lsn, long At);
