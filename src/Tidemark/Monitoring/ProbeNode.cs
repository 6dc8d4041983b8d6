namespace Tidemark;

/// <summary>Asks one node. A failure is an answer too: the task never faults, and ends soon after the token is cancelled.</summary>
internal delegate Task<ProbeAnswer> ProbeNode(int index, CancellationToken cancellationToken);
