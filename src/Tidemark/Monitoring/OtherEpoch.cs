namespace Tidemark;

/// <summary>An epoch other than the node's present one that its name has answered with.</summary>
/// <param name="Epoch">The epoch.</param>
/// <param name="SystemIdentifier">The cluster of the server; zero: unknown.</param>
/// <param name="ProbesSent">
/// The probes sent to all nodes when it was noted; of an epoch that the node was in, the last probe that brought it.
/// </param>
/// <param name="WasBefore">The node itself was in this epoch, and has left it.</param>
internal readonly record struct OtherEpoch(ServerEpoch Epoch, ulong SystemIdentifier, long ProbesSent, bool WasBefore = false);
