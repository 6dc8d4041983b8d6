using System.Data;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Transactions;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Follows a connection to the primary. The statements on it cannot be inspected. The time from opening to closing therefore counts as a
/// write of the session, and as an observation of everything on the primary. The position is pending at the end, unless it was piggybacked
/// on a commit. Each opening checks the role and the status of the node.
/// </summary>
internal sealed class WriteLease
{
    private static readonly ConditionalWeakTable<NpgsqlConnection, WriteLease> Leases = [];

    private readonly Lock _lock = new();
    private readonly ClusterConnections _owner;
    private NodeState _node;
    private ConsistencySession? _first;
    private List<ConsistencySession>? _others;
    private Dictionary<ConsistencySession, IDisposable>? _ignoring;
    private string? _connectionString;
    private bool _isOpen;
    private int _backend;
    private long _probesSent;
    private int _process;
    private Ending _ending;
    private PiggybackedPosition _position;
    private bool _isPiggybacked;
    private Deferred? _deferred;
    private PhysicalConnection? _physical;
    private long? _receivedAtEnd;

    public WriteLease(ClusterConnections owner, NodeState node, ConsistencySession? session)
    {
        _owner = owner;
        _node = node;
        Session = session;
    }

    /// <summary>The node of the connection.</summary>
    public int NodeIndex => _node.Index;

    /// <summary>
    /// The session of everything that is done between opening and closing, unless <see cref="FindSession"/> finds another.
    /// </summary>
    public ConsistencySession? Session { get; set; }

    /// <summary>Finds the session at each opening. If <see langword="null"/>, it is always <see cref="Session"/>.</summary>
    public Func<ConsistencySession?>? FindSession { get; set; }

    /// <summary>Whether the connection is opened for one save and closed at its end, so that it is used for nothing else.</summary>
    public bool IsOpenedBySave { get; set; }

    /// <summary>
    /// The latest statement that was sent with a position query, or <see langword="null"/> if there was none or it was a COMMIT.
    /// </summary>
    public PositionedCommand? Piggybacked { get; private set; }

    /// <summary>Follows a connection, starting with its next opening.</summary>
    public void Follow(NpgsqlConnection connection)
    {
        _connectionString = connection.ConnectionString;
        Leases.Add(connection, this);
        connection.StateChange += OnStateChange;
    }

    /// <summary>
    /// Returns the lease of a connection. Returns <see langword="null"/> if Tidemark did not create the connection for writing, or if its
    /// connection string was changed since and may lead elsewhere.
    /// </summary>
    public static WriteLease? Of(NpgsqlConnection connection) =>
        Leases.TryGetValue(connection, out var lease) && lease._connectionString == connection.ConnectionString ? lease : null;

    /// <summary>
    /// Records that the connection is open. The server reports with every connection whether it is a standby, so that a node demoted since
    /// the last probe is not written to.
    /// </summary>
    /// <exception cref="RoutingException">
    /// The node is a standby, or not the primary of the snapshot. The connection must be closed.
    /// </exception>
    /// <param name="isStandby">Whether the server reports that it is a standby.</param>
    /// <param name="backend">The server process of the connection.</param>
    public void Opened(bool isStandby, int backend)
    {
        // The connection may have been created long ago: before a promotion, or before the node was found to belong to another cluster.
        var snapshot = _owner.Monitor.Snapshot;

        // A pooler reports what the server reported when its first connection was opened, perhaps before a promotion. A standby rejects a
        // write itself.
        if (isStandby && !snapshot.Nodes[NodeIndex].IsPooled)
        {
            _owner.Monitor.Suspect(NodeIndex);
            throw RoutingException.NoLongerPrimary(_owner.Decide(ReadRequirement.Primary(RouteReason.Write)), _node.Name);
        }

        if (snapshot.PrimaryIndex != NodeIndex)
            throw RoutingException.NotThePrimary(_owner.Decide(ReadRequirement.Primary(RouteReason.Write)), snapshot.Nodes[NodeIndex],
                snapshot);

        Forget();
        _isOpen = true;

        // The lease may be as old as its DbContext. Use the epoch of the server that this connection leads to.
        _node = snapshot.Nodes[NodeIndex];
        _probesSent = _owner.Monitor.ProbesSent;

        // Behind a pooler, the server process that runs the statement is unknown.
        (_backend, _process) = (_node.IsPooled ? 0 : backend, backend);
        if (CurrentSession is { } session) Join(session);
    }

    /// <summary>
    /// Adds a session to the open connection: what is done on it until it is closed belongs to this session too. The connection may have
    /// been opened before the session began, or outside it.
    /// </summary>
    [SuppressMessage("Reliability", "CA2000", Justification = "The registration is disposed of when the connection closes.")]
    public void Join(ConsistencySession session)
    {
        lock (_lock)
        {
            if (!_isOpen || session == _first || _others?.Contains(session) == true) return;
            _ignoring?.Remove(session);
            if (session.BeginWrite())
            {
                session.BeginShowingWithWrites();
                if (_first is null) _first = session;
                else (_others ??= []).Add(session);
            }
            else if (session.IgnoresWrites)
            {
                // Writes after the end of the scope must not be ignored, although the connection was opened within it.
                if (session.AtEndOfIgnoring(() => Join(session)) is { } registration) (_ignoring ??= [])[session] = registration;
            }
        }
    }

    /// <summary>
    /// Must be called before a statement or a COMMIT is sent with a position query. If the connection ends before one of the transitions
    /// below, the write has not ended: only the code that sent it knows whether it was acknowledged.
    /// </summary>
    /// <param name="piggybacked">The statement, or <see langword="null"/> for a COMMIT.</param>
    public void Begin(PositionedCommand? piggybacked)
    {
        Forget();
        (Piggybacked, _isPiggybacked) = (piggybacked, true);
    }

    /// <summary>
    /// Records that the server acknowledged the commit of everything sent so far, and answered the position query after it.
    /// </summary>
    public void Committed(in PiggybackedPosition position)
    {
        _position = position;
        EndPiggyback(Ending.Committed);
    }

    /// <summary>
    /// Records that the statement and its position query were read to their end. Later responses on the connection belong to code that
    /// shares it, such as an interceptor of the application. That code may have written more than the position includes.
    /// </summary>
    public void EndOfAnswer() => _receivedAtEnd = _physical?.Received;

    /// <summary>
    /// Records that the server acknowledged the write but the position query failed. The position is pending, and nothing is in doubt even
    /// if the connection broke.
    /// </summary>
    public void AcknowledgedWithoutPosition()
    {
        if (_ending != Ending.Committed) EndPiggyback(Ending.Acknowledged);
    }

    /// <summary>Records that nothing was committed on the connection, or that a rollback is about to be sent.</summary>
    public void RolledBack() => EndPiggyback(Ending.RolledBack);

    /// <summary>
    /// Records that the write failed, or that the connection ended before a response. How the connection ends decides what is in doubt.
    /// </summary>
    public void Failed()
    {
        if (_isPiggybacked) EndPiggyback(Ending.Unknown);
    }

    /// <summary>Discards the outcome of earlier statements, because it does not apply to what is sent next.</summary>
    public void Forget()
    {
        Failed();
        (_ending, _position, Piggybacked, _receivedAtEnd) = (Ending.Unknown, default, null, null);
    }

    /// <summary>Records that the connection was closed or broke, perhaps during a commit, which the server may or may not finish.</summary>
    public void Closed(bool isBroken)
    {
        ConsistencySession? first;
        List<ConsistencySession>? others;
        Dictionary<ConsistencySession, IDisposable>? ignoring;
        lock (_lock)
        {
            if (!_isOpen) return;
            _isOpen = false;
            (first, others, ignoring) = (_first, _others, _ignoring);
            (_first, _others, _ignoring) = (null, null, null);
        }

        // Something was sent after the last recorded outcome. Neither the position nor the acknowledgement covers it.
        isBroken |= _physical is { IsBroken: true };
        if (_physical is not null && _receivedAtEnd is { } end && _physical.Received != end) _ending = Ending.Unknown;

        foreach (var registration in ignoring?.Values ?? Enumerable.Empty<IDisposable>()) registration.Dispose();

        // Npgsql raises the event of a broken connection before it throws the exception that caused it.
        if (_isPiggybacked) _deferred = new Deferred(first, others, isBroken);
        else End(first, others, isBroken);
    }

    private ConsistencySession? CurrentSession => FindSession is { } find ? find() : Session;

    private void EndPiggyback(Ending ending)
    {
        (_ending, _isPiggybacked) = (ending, false);
        if (_deferred is not { } closed) return;
        _deferred = null;
        End(closed.First, closed.Others, closed.IsBroken);
    }

    private void End(ConsistencySession? first, List<ConsistencySession>? others, bool isBroken)
    {
        if (first is not null) End(first, isBroken);
        foreach (var session in others ?? []) End(session, isBroken);
    }

    private void End(ConsistencySession session, bool isBroken)
    {
        var at = _ending == Ending.Committed ? KnownPositionOf(_position) : null;

        // Any response of the primary, including an error, may have shown what the primary has.
        session.Observe(_node, onPrimary: true, at);
        session.EndShowingWithWrites();
        var enlisted = isBroken ? null : EnlistedConnections.TransactionOf(_owner.WritesOf(NodeIndex), _process);
        var open = _ending == Ending.Committed ? _position.OpenTransaction : null;
        if (enlisted is not null) EndWith(enlisted, session);
        else if (open is not null) EndInDoubt(session, open);
        else if (isBroken && _ending is Ending.Unknown or Ending.RolledBack) EndInDoubt(session, openTransaction: null);
        else if (_ending == Ending.RolledBack) session.AbandonWrite();
        else session.EndWrite(_node, at);
    }

    private void EndInDoubt(ConsistencySession session, string? openTransaction) =>
        session.EndWrite(_node, at: null, isInDoubt: true, _backend, _backend == 0 ? 0 : _probesSent + 1, openTransaction);

    /// <summary>
    /// Ends the write with the System.Transactions transaction, which outlives the connection. The transaction ends before its scope does.
    /// </summary>
    private void EndWith(Transaction transaction, ConsistencySession session)
    {
        var (node, backend, probesSent) = (_node, _backend, _backend == 0 ? 0 : _probesSent + 1);
        try
        {
            transaction.TransactionCompleted += (_, e) => Ended(e.Transaction?.TransactionInformation.Status == TransactionStatus.InDoubt);
        }
        catch (ObjectDisposedException)
        {
            Ended(isInDoubt: false);
        }

        void Ended(bool isInDoubt)
        {
            session.Observe(node, onPrimary: true);
            session.EndWrite(node, at: null, isInDoubt, backend, probesSent);
        }
    }

    private void OnStateChange(object sender, StateChangeEventArgs change)
    {
        var connection = (NpgsqlConnection)sender;
        if (change.CurrentState == ConnectionState.Open && !_isOpen)
        {
            if (Of(connection) is null) return;

            // An exception thrown here fails the opening, and Npgsql returns the connection to the pool. Closing it as well would put it
            // into the pool twice. The node has just accepted a connection, regardless of the last probe, so it is probed once more before
            // the connection is rejected.
            if (_owner.Monitor.Snapshot.PrimaryIndex != NodeIndex) _owner.Sample(NodeIndex);
            _owner.Validate?.Invoke(CurrentSession);
            _physical = PhysicalConnection.Of(connection);
            Opened(connection.PostgresParameters.TryGetValue("in_hot_standby", out var standby) && standby == "on", connection.ProcessID);
        }
        else if (change.CurrentState is ConnectionState.Closed or ConnectionState.Broken)
        {
            // The event reports "from open to closed" even for a connection that broke. Only the connection itself shows the difference.
            Closed(isBroken: connection.FullState.HasFlag(ConnectionState.Broken));
        }
    }

    // An open connection never outlives the epoch of the primary in which it was opened. If a crash was detected since then, it is unclear
    // which epoch that was. The position is then pending, and a possibly lost write is reported to the session.
    private KnownPosition? KnownPositionOf(in PiggybackedPosition sampled)
    {
        if (_node.PrimaryEpoch != _owner.Monitor.Snapshot.Chain.PrimaryEpoch) return null;
        if (!IsOfEpoch(sampled.Epoch, _owner.Monitor.Snapshot.Nodes[NodeIndex]))
        {
            _owner.Monitor.Suspect(NodeIndex);
            return null;
        }

        return new KnownPosition(sampled.Position with { Lsn = _node.Pages.BeforeHeader(sampled.Position.Lsn) }, _node.PrimaryEpoch);
    }

    /// <summary>
    /// Returns whether the position comes from the node's epoch in the snapshot. A position of another epoch proves nothing until a probe
    /// has found out what happened in between.
    /// </summary>
    private static bool IsOfEpoch(ServerEpoch sampled, NodeState node) =>
        sampled.IsUnknown || sampled.IsSameButForCleanRestarts(node.Epoch);

    /// <summary>How the latest statement on the connection ended, as far as the server has responded.</summary>
    private enum Ending
    {
        Unknown,
        Committed,
        Acknowledged,
        RolledBack,
    }

    /// <summary>A connection that closed before the outcome of its last statement was known.</summary>
    private sealed record Deferred(ConsistencySession? First, List<ConsistencySession>? Others, bool IsBroken);
}
