namespace Tidemark.Verification;

/// <summary>A node as applications configure it: a name, and the servers that it leads to. One server is the rule.</summary>
/// <param name="Index">Its index in the configuration.</param>
/// <param name="Name">Its name.</param>
/// <param name="Servers">A connection leads to any one of them, as behind a balancer or a name with several addresses.</param>
/// <param name="IsForeign">Its server belongs to another cluster: nothing may ever be sent there.</param>
internal sealed record SimulatedNode(int Index, string Name, IReadOnlyList<SimulatedServer> Servers, bool IsForeign = false)
{
    /// <summary>The servers take turns.</summary>
    public bool IsBalanced => Servers.Count > 1;
}
