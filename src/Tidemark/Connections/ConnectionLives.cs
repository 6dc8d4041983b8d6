using System.Runtime.CompilerServices;

namespace Tidemark;

/// <summary>
/// Knows since which probe each physical connection has been open. A crash of a server ends every connection to it, so a connection that was
/// open before a probe was sent and still answers belongs to the same life of the server as that probe: the position the probe brought is
/// proven for it. A younger one may lead to a server that has gone back (postgres.md: a crash restart replays less than was shown before).
/// </summary>
internal sealed class ConnectionLives
{
    // By ReadLease.Connection.
    private readonly ConditionalWeakTable<object, Life> _lives = [];

    /// <summary>Whether what the node's last probe brought is proven for this open connection.</summary>
    /// <param name="connection">The identity of the physical connection.</param>
    /// <param name="node">The node it leads to, as last probed.</param>
    /// <param name="probesSent">How many probes were sent until now.</param>
    public bool IsProven(object connection, NodeState node, long probesSent) =>
        node.ProbeNumber > (_lives.TryGetValue(connection, out var life) ? life : Meet(connection, probesSent)).ProbesSentBefore;

    private Life Meet(object connection, long probesSent) => _lives.GetValue(connection, _ => new Life(probesSent));

    private sealed record Life(long ProbesSentBefore);
}
