using System.Runtime.CompilerServices;

namespace Tidemark;

/// <summary>Remembers the epoch of each physical connection, once a statement on the connection has shown it.</summary>
/// <remarks>
/// <para>
/// A crash of a server ends all connections to it. The epoch that a connection has shown is therefore valid as long as the connection
/// works, and any position sampled in that epoch is proven for the connection.
/// </para>
/// <para>
/// A connection that has shown no epoch may lead to a later epoch of the server, which has gone back (postgres.md: a crash restart replays
/// less than was shown before), or to another server.
/// </para>
/// </remarks>
internal sealed class ConnectionEpochs
{
    // Keyed by ReadLease.Connection.
    private readonly ConditionalWeakTable<object, State> _epochs = [];

    /// <summary>Returns the epoch that the connection has shown, or an unknown epoch if it has shown none.</summary>
    public ServerEpoch EpochOf(object? connection) =>
        connection is not null && _epochs.TryGetValue(connection, out var epoch) && epoch.Epoch is { } recorded ? recorded.Value : default;

    /// <summary>Returns the timeline that the connection has shown last together with its epoch, or zero if it has shown none.</summary>
    public uint TimelineOf(object? connection) =>
        connection is not null && _epochs.TryGetValue(connection, out var state) ? state.Timeline : 0;

    /// <summary>
    /// Records the epoch that the connection has shown. A later epoch replaces it: the statistics of the server were reset.
    /// </summary>
    public void Record(object connection, ServerEpoch epoch, uint timeline = 0)
    {
        var state = _epochs.GetValue(connection, static _ => new State());
        if (state.Epoch is not { } recorded || recorded.Value != epoch) state.Epoch = new StrongBox<ServerEpoch>(epoch);
        state.Timeline = timeline;
    }

    /// <summary>
    /// Returns whether a probe has verified the connection: it was open before the probe was sent, and still works. Returns
    /// <see langword="false"/> if several servers share the address.
    /// </summary>
    /// <param name="connection">The identity of the physical connection.</param>
    /// <param name="node">The node of the connection, as last probed.</param>
    /// <param name="probesSent">The number of probes sent so far.</param>
    public bool IsVerified(object connection, NodeState node, long probesSent)
    {
        if (node.HasSeveralServers) return false;
        var epoch = _epochs.GetValue(connection, static _ => new State());
        var firstUsed = Interlocked.CompareExchange(ref epoch.FirstUsedAt, probesSent + 1, 0);
        return firstUsed != 0 && node.ProbeNumber > firstUsed - 1;
    }

    private sealed class State
    {
        // One more than the number of probes sent when the connection was first used, or zero if it was not used yet.
        public long FirstUsedAt;

        public volatile StrongBox<ServerEpoch>? Epoch;

        public volatile uint Timeline;
    }
}
