using System.Runtime.CompilerServices;

namespace Tidemark;

/// <summary>
/// Knows of which epoch each physical connection is, once a statement on it has shown that. A crash of a server ends every connection to
/// it, so what a
/// connection has shown holds for as long as it answers, and a position that anybody sampled in that epoch is proven for it. A connection
/// that has shown
/// nothing may lead to a later run of the server, which has gone back (postgres.md: a crash restart replays less than was shown before), or
/// to another server.
/// </summary>
internal sealed class ConnectionEpochs
{
    // By ReadLease.Connection.
    private readonly ConditionalWeakTable<object, Knowledge> _epochs = [];

    /// <summary>The epoch that the connection has shown; unknown: it has shown none.</summary>
    public ServerEpoch EpochOf(object? connection) =>
        connection is not null && _epochs.TryGetValue(connection, out var epoch) && epoch.Epoch is { } known ? known.Value : default;

    /// <summary>Returns the timeline that the connection has shown last, with its epoch; zero: none.</summary>
    public uint TimelineOf(object? connection) =>
        connection is not null && _epochs.TryGetValue(connection, out var knowledge) ? knowledge.Timeline : 0;

    /// <summary>The connection has shown its epoch. A later one replaces it: the statistics of its server were reset.</summary>
    public void Learn(object connection, ServerEpoch epoch, uint timeline = 0)
    {
        var knowledge = _epochs.GetValue(connection, static _ => new Knowledge());
        if (knowledge.Epoch is not { } known || known.Value != epoch) knowledge.Epoch = new StrongBox<ServerEpoch>(epoch);
        knowledge.Timeline = timeline;
    }

    /// <summary>
    /// Whether a probe has witnessed the connection: it was open before the probe was sent, and still answers. Says nothing where several
    /// servers may answer.
    /// </summary>
    /// <param name="connection">The identity of the physical connection.</param>
    /// <param name="node">The node it leads to, as last probed.</param>
    /// <param name="probesSent">How many probes were sent until now.</param>
    public bool IsVerified(object connection, NodeState node, long probesSent)
    {
        if (node.HasSeveralServers) return false;
        var epoch = _epochs.GetValue(connection, static _ => new Knowledge());
        var met = Interlocked.CompareExchange(ref epoch.MetAt, probesSent + 1, 0);
        return met != 0 && node.ProbeNumber > met - 1;
    }

    private sealed class Knowledge
    {
        // One more than the probes sent when it was met; zero: not met.
        public long MetAt;

        public volatile StrongBox<ServerEpoch>? Epoch;

        public volatile uint Timeline;
    }
}
