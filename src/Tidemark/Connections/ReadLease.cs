using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Counts a read while its connection is open. An answer that the caller receives is an observation of its session at once. The observation
/// stays open until the connection is closed, because more may be read on it. Attempts that were given up observed nothing.
/// </summary>
internal sealed class ReadLease(int[] readsInFlight, NodeState node, ConsistencySession? session, ConnectionEpochs? epochs = null)
{
    // PostgreSQL 14 and later report every change of this setting. A connection whose server or pooler does not report it is not considered
    // read-only.
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

    /// <summary>The identity of the physical connection that was opened last, or <see langword="null"/> if none was.</summary>
    public object? Connection { get; private set; }

    /// <summary>Whether the caller's command was sent since the last opening, on a connection that may not be read-only.</summary>
    public bool MayHaveWritten { get; private set; }

    private bool OnPrimary => _node.Status == ConcludedStatus.Primary;

    /// <summary>Follows a connection, starting with its next opening.</summary>
    public void Follow(NpgsqlConnection connection) => connection.StateChange += OnStateChange;

    /// <summary>Prepares the lease for another opening of the same connection object, for another read.</summary>
    public void Renew(NodeState node, ConsistencySession? session)
    {
        if (!_isOpen) (_node, _session, MayHaveWritten) = (node, session, false);
    }

    /// <summary>Hands the connection itself out to the caller, who may close it and open it again.</summary>
    public void HandOut(ReopeningCheck reopening) => _reopening = reopening;

    /// <summary>
    /// Must be called before the caller's command is sent or the connection is handed out. Counts as a write of the session if the
    /// connection may not be read-only, except with a single node, where no read can miss the write.
    /// </summary>
    /// <param name="connection">The open connection.</param>
    /// <param name="proof">What is checked in the same round trip. Behind a pooler, the check runs within a read-only transaction.</param>
    public void Sending(NpgsqlConnection connection, ReadProof? proof = null)
    {
        if (!_isOpen || MayHaveWritten) return;
        Sending(IsReadOnly(connection), connection.ProcessID, proof);
        if (_isWrite) _physical = PhysicalConnection.Of(connection);
    }

    /// <inheritdoc cref="Sending(NpgsqlConnection, ReadProof?)"/>
    /// <param name="isReadOnly">Whether the server reports that the connection is read-only, and no pooler is in between.</param>
    /// <param name="process">The server process of the connection.</param>
    /// <param name="proof">What is checked in the same round trip.</param>
    public void Sending(bool isReadOnly, int process, ReadProof? proof)
    {
        if (!_isOpen || MayHaveWritten || proof is { Node.IsPooled: true } || isReadOnly) return;
        MayHaveWritten = true;
        if (readsInFlight.Length == 1 || _session?.BeginWrite() != true) return;
        _isWrite = true;

        // Behind a pooler, the server process that runs the statement is unknown.
        _backend = _node.IsPooled ? 0 : process;
    }

    /// <summary>Records that the caller receives rows, a count or an error from this connection, or the connection itself.</summary>
    public void Deliver()
    {
        if (!_isOpen || _isObserved || _session is null) return;

        // Behind a pooler, or if several servers share the address, the response may come from another server than the one that the node's
        // epoch belongs to.
        _observedIn = _node.IsPooled ? default(ServerEpoch) : epochs?.EpochOf(Connection);
        _isObserved = _session.BeginObservation(_node, OnPrimary, Connection, _observedIn, epochs?.TimelineOf(Connection) ?? 0);
    }

    /// <summary>Starts the read.</summary>
    /// <param name="connection">The identity of the physical connection.</param>
    public void Opened(object connection)
    {
        if (_isOpen) return;
        _isOpen = true;
        MayHaveWritten = false;
        Connection = connection;
        Interlocked.Increment(ref readsInFlight[_node.Index]);
    }

    /// <summary>
    /// Ends the read. What it observed is recorded now, because another read depends on it only if this one ended before the other began.
    /// </summary>
    /// <param name="isBroken">Whether the connection broke: what it may have written can still be committed.</param>
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
            // The event reports "from open to closed" even for a connection that broke.
            Closed(isBroken: connection.FullState.HasFlag(ConnectionState.Broken));
        }
        else if (_reopening is null || _isOpen)
        {
            // There is one such object per physical connection, and it stays the same each time the pool hands the connection out.
            Opened(connection.PostgresParameters);
        }
        else
        {
            Reopened(connection, _reopening);
        }
    }

    private void Reopened(NpgsqlConnection connection, ReopeningCheck reopening)
    {
        // An exception thrown by the check fails the opening, and Npgsql returns the connection to the pool. Closing it as well would put
        // it into the pool twice.
        Connection = connection.PostgresParameters;
        (_node, _session) = reopening.Check(this, connection);
        Opened(connection.PostgresParameters);
        Deliver();
        Sending(connection);
    }
}
