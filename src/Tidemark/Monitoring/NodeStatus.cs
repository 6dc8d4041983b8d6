using NpgsqlTypes;

namespace Tidemark;

/// <summary>What is known of a node right now.</summary>
/// <param name="Name">The name from the configuration.</param>
/// <param name="Role">What it was found to be.</param>
/// <param name="IsServing">It belongs to the cluster and answered its last probe.</param>
/// <param name="Timeline">The timeline it writes or follows; 0 when unknown.</param>
/// <param name="Lsn">On the primary the flush position, on a replica what it has replayed, as last seen.</param>
/// <param name="Problem">Why it serves nothing; <see langword="null"/> when it does.</param>
public sealed record NodeStatus(string Name, NodeRole Role, bool IsServing, uint Timeline, NpgsqlLogSequenceNumber Lsn, string? Problem);
