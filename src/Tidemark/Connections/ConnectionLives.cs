using System.Runtime.CompilerServices;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Knows since which probe each physical connection has been open. A crash of a server ends every connection to it, so a connection that was
/// open before a probe was sent and still answers belongs to the same life of the server as that probe: the position the probe brought is
/// proven for it. A younger one may lead to a server that has gone back (postgres.md: a crash restart replays less than was shown before).
/// </summary>
internal sealed class ConnectionLives
{
    // Npgsql hands out one parameters object for each physical connection, the same whenever the pool gives it out again.
    private readonly ConditionalWeakTable<object, Life> _lives = [];

    /// <summary>Whether what the node's last probe brought is proven for this open connection.</summary>
    public bool IsProven(NpgsqlConnection connection, NodeState node, long probesSent)
    {
        var identity = (object)connection.PostgresParameters;
        if (!_lives.TryGetValue(identity, out var life)) life = _lives.GetValue(identity, _ => new Life(probesSent));
        return node.ProbeNumber > life.ProbesSentBefore;
    }

    private sealed record Life(long ProbesSentBefore);
}
