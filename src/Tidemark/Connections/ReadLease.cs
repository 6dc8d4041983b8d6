using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Counts a read while its connection is open. An answer that reaches the caller is an observation of its session at once, and stays under
/// way until the connection is closed: more may be shown on it. Attempts that were given up showed nothing.
/// </summary>
internal sealed class ReadLease(int[] readsInFlight, NodeState node, ConsistencySession? session, ConnectionEpochs? epochs = null)
{
    // PostgreSQL 14 and later report it with every change; servers and poolers that do not are not known to be read-only.
    private const string ReadOnlySetting = "default_transaction_read_only";

    private NodeState _node = node;
    private ConsistencySession? _session = session;
    private ReopeningCheck? _reopening;
    private bool _isOpen;
    private bool _isObserved;
    private bool _isWrite;
    private int _backend;
    private ServerEpoch? _observedIn;
    private PhysicalConnection? _physical;

    /// <summary>The identity of the physical connection that was opened last; <see langword="null"/>: none was.</summary>
    public object? Connection { get; private set; }

    /// <summary>The caller's command was sent since the last opening, and the connection is not known to be read-only.</summary>
    public bool MayHaveWritten { get; private set; }

    private bool OnPrimary => _node.Status == ConcludedStatus.Primary;

    /// <summary>Follows a connection from its next opening on.</summary>
    public void Follow(NpgsqlConnection connection) => connection.StateChange += OnStateChange;

    /// <summary>The connection object will be opened once more, for another read.</summary>
    public void Renew(NodeState node, ConsistencySession? session)
    {
        if (!_isOpen) (_node, _session, MayHaveWritten) = (node, session, false);
    }

    /// <summary>The connection itself is the caller's from now on, who may close it and open it again.</summary>
    public void HandOut(ReopeningCheck reopening) => _reopening = reopening;

    /// <summary>
    /// The caller's command, or the connection itself, is about to be given away. On a connection that is not known to be read-only it may
    /// write: it counts as a write of the session, except on a lone node, where no read can miss it.
    /// </summary>
    /// <param name="connection">The open connection.</param>
    /// <param name="proof">What is checked in the same round trip: behind a pooler within a read-only transaction.</param>
    public void Sending(NpgsqlConnection connection, ReadProof? proof = null)
    {
        if (!_isOpen || MayHaveWritten) return;
        Sending(IsReadOnly(connection), connection.ProcessID, proof);
        if (_isWrite) _physical = PhysicalConnection.Of(connection);
    }

    /// <inheritdoc cref="Sending(NpgsqlConnection, ReadProof?)"/>
    /// <param name="isReadOnly">The server reports that the connection is read-only, and no pooler stands before it.</param>
    /// <param name="process">The server process of the connection.</param>
    /// <param name="proof">What is checked in the same round trip.</param>
    public void Sending(bool isReadOnly, int process, ReadProof? proof)
    {
        if (!_isOpen || MayHaveWritten || proof is { Node.IsPooled: true } || isReadOnly) return;
        MayHaveWritten = true;
        if (readsInFlight.Length == 1 || _session?.BeginWrite() != true) return;
        _isWrite = true;

        // Behind a pooler nobody knows who runs the statement.
        _backend = _node.IsPooled ? 0 : process;
    }

    /// <summary>The caller gets rows, a count or an error from this connection, or the connection itself.</summary>
    public void Deliver()
    {
        if (!_isOpen || _isObserved || _session is null) return;

        // Behind a pooler another server may have answered than the one that the node's epoch is of, and where several servers answer to a
        // name too.
        _observedIn = _node.IsPooled ? default(ServerEpoch) : epochs?.EpochOf(Connection);
        _isObserved = _session.BeginObservation(_node, OnPrimary, Connection, _observedIn, epochs?.TimelineOf(Connection) ?? 0);
    }

    /// <summary>The read is under way.</summary>
    /// <param name="connection">The identity of the physical connection.</param>
    public void Opened(object connection)
    {
        if (_isOpen) return;
        _isOpen = true;
        MayHaveWritten = false;
        Connection = connection;
        Interlocked.Increment(ref readsInFlight[_node.Index]);
    }

    /// <summary>The read is over. Only what ended before another read began binds that one, so what was shown is noted now.</summary>
    /// <param name="isBroken">The connection broke: what it may have written may yet be committed.</param>
    public void Closed(bool isBroken = false)
    {
        if (!_isOpen) return;
        _isOpen = false;
        Interlocked.Decrement(ref readsInFlight[_node.Index]);
        if (_isObserved) _session!.EndObservation(_node, OnPrimary, _observedIn);
        if (_isWrite) _session!.EndWrite(_node, at: null, isInDoubt: (isBroken || _physical is { IsBroken: true }) && OnPrimary, _backend);
        (_isObserved, _isWrite, _physical) = (false, false, null);
    }

    private bool IsReadOnly(NpgsqlConnection connection) =>
        !_node.IsPooled && connection.PostgresParameters.TryGetValue(ReadOnlySetting, out var setting) && setting == "on";

    private void OnStateChange(object sender, StateChangeEventArgs change)
    {
        var connection = (NpgsqlConnection)sender;
        if (change.CurrentState != ConnectionState.Open)
        {
            // The event says "from open to closed" even of a connection that broke.
            Closed(isBroken: connection.FullState.HasFlag(ConnectionState.Broken));
        }
        else if (_reopening is null || _isOpen)
        {
            // One object for each physical connection, the same whenever the pool gives it out again.
            Opened(connection.PostgresParameters);
        }
        else
        {
            Reopened(connection, _reopening);
        }
    }

    private void Reopened(NpgsqlConnection connection, ReopeningCheck reopening)
    {
        // What the check throws fails the opening, and Npgsql gives the connection back. Closing it as well would put it into the pool
        // twice.
        Connection = connection.PostgresParameters;
        (_node, _session) = reopening.Check(this, connection);
        Opened(connection.PostgresParameters);
        Deliver();
        Sending(connection);
    }
}
