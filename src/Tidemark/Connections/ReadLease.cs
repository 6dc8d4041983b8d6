using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Counts a read while its connection is open, and tells its session at the end that the node has shown something. Only an answer that reached the
/// caller counts: attempts that were given up showed nothing.
/// </summary>
internal sealed class ReadLease
{
    private readonly int[] _readsInFlight;
    private NodeState _node;
    private ConsistencySession? _session;
    private object? _connection;
    private bool _isOpen;
    private bool _isDelivered;

    private ReadLease(int[] readsInFlight, NodeState node, ConsistencySession? session) =>
        (_readsInFlight, _node, _session) = (readsInFlight, node, session);

    public static ReadLease Follow(NpgsqlConnection connection, int[] readsInFlight, NodeState node, ConsistencySession? session)
    {
        var lease = new ReadLease(readsInFlight, node, session);
        connection.StateChange += lease.OnStateChange;
        return lease;
    }

    /// <summary>The connection object will be opened once more, for another read.</summary>
    public void Renew(NodeState node, ConsistencySession? session)
    {
        if (!_isOpen) (_node, _session, _isDelivered) = (node, session, false);
    }

    /// <summary>The caller gets rows, a count or an error from this connection, or the connection itself.</summary>
    public void Deliver() => _isDelivered = true;

    private void OnStateChange(object sender, StateChangeEventArgs change)
    {
        var isOpen = change.CurrentState == ConnectionState.Open;
        if (isOpen == _isOpen) return;
        _isOpen = isOpen;
        Interlocked.Add(ref _readsInFlight[_node.Index], isOpen ? 1 : -1);

        // Only what ended before another read began binds that one, so it is noted at the end.
        if (isOpen) _connection = _session is null ? null : ((NpgsqlConnection)sender).PostgresParameters;
        else if (_isDelivered) _session?.Saw(_node, onPrimary: _node.Standing == NodeStanding.Primary, at: null, _connection);
    }
}
