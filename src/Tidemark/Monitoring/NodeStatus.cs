using NpgsqlTypes;

namespace Tidemark;

/// <summary>The current state of a node.</summary>
/// <param name="Name">The name of the node in the configuration.</param>
/// <param name="Role">The role that the last probe detected.</param>
/// <param name="IsServing">
/// <see langword="true"/> if the node belongs to the cluster and responded to its last probe; otherwise <see langword="false"/>.
/// </param>
/// <param name="Timeline">The timeline that the node writes or follows, or 0 if unknown.</param>
/// <param name="Lsn">The last observed LSN: the flush position of the primary, or the replay position of a replica.</param>
/// <param name="Problem">Why the node is excluded from routing, or <see langword="null"/> if it is not.</param>
public sealed record NodeStatus(string Name, NodeRole Role, bool IsServing, uint Timeline, NpgsqlLogSequenceNumber Lsn, string? Problem);
