namespace Tidemark;

/// <summary>
/// Probes one node. A failure is returned as a result. The task never faults, and completes soon after the token is cancelled.
/// </summary>
internal delegate Task<ProbeAnswer> ProbeNode(int index, CancellationToken cancellationToken);
