using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Counts a read while its connection is open, and tells its session at the end that the node has shown something. Only an answer that reached the
/// caller counts: attempts that were given up showed nothing.
/// </summary>
internal sealed class ReadLease(int[] readsInFlight, NodeState node, ConsistencySession? session, ConnectionLives? lives = null)
{
    private NodeState _node = node;
    private ConsistencySession? _session = session;
    private bool _isOpen;
    private bool _isDelivered;

    /// <summary>The identity of the physical connection that was opened last; <see langword="null"/>: none was.</summary>
    public object? Connection { get; private set; }

    /// <summary>Follows a connection from its next opening on.</summary>
    public void Follow(NpgsqlConnection connection) => connection.StateChange += OnStateChange;

    /// <summary>The connection object will be opened once more, for another read.</summary>
    public void Renew(NodeState node, ConsistencySession? session)
    {
        if (!_isOpen) (_node, _session, _isDelivered) = (node, session, false);
    }

    /// <summary>The caller gets rows, a count or an error from this connection, or the connection itself.</summary>
    public void Deliver() => _isDelivered = true;

    /// <summary>The read is under way.</summary>
    /// <param name="connection">The identity of the physical connection.</param>
    public void Opened(object connection)
    {
        if (_isOpen) return;
        _isOpen = true;
        Connection = connection;
        Interlocked.Increment(ref readsInFlight[_node.Index]);
    }

    /// <summary>The read is over. Only what ended before another read began binds that one, so what was shown is noted now.</summary>
    public void Closed()
    {
        if (!_isOpen) return;
        _isOpen = false;
        Interlocked.Decrement(ref readsInFlight[_node.Index]);
        if (!_isDelivered) return;

        // Behind a pooler another server may have answered than the one that the node's epoch is of, and where several servers answer to a name too.
        _session?.Saw(
            _node, onPrimary: _node.Standing == NodeStanding.Primary, at: null, Connection,
            _node.IsPooled ? default(ServerEpoch) : lives is null ? null : lives.EpochOf(Connection));
    }

    private void OnStateChange(object sender, StateChangeEventArgs change)
    {
        // One object for each physical connection, the same whenever the pool gives it out again.
        if (change.CurrentState == ConnectionState.Open) Opened(((NpgsqlConnection)sender).PostgresParameters);
        else Closed();
    }
}
