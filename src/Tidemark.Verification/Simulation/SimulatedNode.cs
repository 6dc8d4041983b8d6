namespace Tidemark.Verification;

/// <summary>A node as applications configure it: a name, and the servers to which it leads. There is usually one server.</summary>
/// <param name="Index">Its index in the configuration.</param>
/// <param name="Name">Its name.</param>
/// <param name="Servers">
/// The servers. A connection leads to any one of them, as behind a load balancer or a DNS name with several addresses.
/// </param>
/// <param name="IsForeign">Whether its server belongs to another cluster, so that no statement may be sent there.</param>
internal sealed record SimulatedNode(int Index, string Name, IReadOnlyList<SimulatedServer> Servers, bool IsForeign = false)
{
    /// <summary>Whether connections alternate between several servers.</summary>
    public bool IsBalanced => Servers.Count > 1;
}
