namespace Tidemark;

/// <summary>An epoch other than the current one in which a server with the name of the node has responded.</summary>
/// <param name="Epoch">The epoch.</param>
/// <param name="SystemIdentifier">The system identifier of the server, or 0 if unknown.</param>
/// <param name="ProbesSent">
/// Number of probes sent to all nodes when the epoch was recorded. For an epoch of the node itself, the number of the last probe that found
/// it.
/// </param>
/// <param name="WasBefore"><see langword="true"/> if the node itself was in this epoch and has left it.</param>
internal readonly record struct OtherEpoch(ServerEpoch Epoch, ulong SystemIdentifier, long ProbesSent, bool WasBefore = false);
