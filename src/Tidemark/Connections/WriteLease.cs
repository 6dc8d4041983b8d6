using System.Data;
using System.Runtime.CompilerServices;
using System.Transactions;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Follows a connection to the primary: what is done on it cannot be seen, so from opening to closing it counts as a write of the session,
/// and shows it what the primary has. The position is pending at the end, unless a commit brought one along. Each opening checks the role
/// and the status of the node.
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

    /// <summary>The node the connection leads to.</summary>
    public int NodeIndex => _node.Index;

    /// <summary>
    /// The session that what is done between opening and closing belongs to, unless <see cref="FindSession"/> finds another.
    /// </summary>
    public ConsistencySession? Session { get; set; }

    /// <summary>Finds the session at each opening; <see langword="null"/>: it is always <see cref="Session"/>.</summary>
    public Func<ConsistencySession?>? FindSession { get; set; }

    /// <summary>The connection is opened for one save and closed at its end: nothing but the save is done on it.</summary>
    public bool IsOpenedBySave { get; set; }

    /// <summary>The latest statement that was sent with a position query; <see langword="null"/>: none, or a COMMIT.</summary>
    public PositionedCommand? Piggybacked { get; private set; }

    /// <summary>Follows a connection from its next opening on.</summary>
    public void Follow(NpgsqlConnection connection)
    {
        _connectionString = connection.ConnectionString;
        Leases.Add(connection, this);
        connection.StateChange += OnStateChange;
    }

    /// <summary>
    /// The lease of a connection; <see langword="null"/> when it is not one of Tidemark's to the primary, or was given another connection
    /// string since and
    /// leads wherever that says.
    /// </summary>
    public static WriteLease? Of(NpgsqlConnection connection) =>
        Leases.TryGetValue(connection, out var lease) && lease._connectionString == connection.ConnectionString ? lease : null;

    /// <summary>
    /// The connection is open. The server says with every one whether it is a standby: a node demoted since the last probe is not written
    /// to.
    /// </summary>
    /// <exception cref="RoutingException">It is a standby, or not the primary of the snapshot; the connection must be closed.</exception>
    /// <param name="isStandby">It is one.</param>
    /// <param name="backend">The server process that the connection leads to.</param>
    public void Opened(bool isStandby, int backend)
    {
        // The connection may have been created long ago: before a promotion, or before the node turned out to be of another cluster.
        var snapshot = _owner.Monitor.Snapshot;

        // A pooler repeats what the server said when its first connection was opened, perhaps before a promotion. A standby refuses a write
        // itself.
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

        // The lease may be as old as a context: what counts is the life of the server that this connection leads to.
        _node = snapshot.Nodes[NodeIndex];
        _probesSent = _owner.Monitor.ProbesSent;

        // Behind a pooler nobody knows who runs the statement.
        (_backend, _process) = (_node.IsPooled ? 0 : backend, backend);
        if (CurrentSession is { } session) Join(session);
    }

    /// <summary>
    /// What is done on the connection from now until it is closed belongs to the session too: it may have been opened before the session
    /// began, or beside it.
    /// </summary>
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
                // What is done after the scope is not to be ignored, though the connection was opened within it.
                (_ignoring ??= [])[session] = ConsistencySession.AtEndOfIgnoring(() => Join(session));
            }
        }
    }

    /// <summary>
    /// A statement or a COMMIT is about to be sent with a position query. If the connection ends before one of the transitions below
    /// follows, the write has not ended: whether it was acknowledged is known only to the code that sent it.
    /// </summary>
    /// <param name="piggybacked">The statement; <see langword="null"/>: a COMMIT.</param>
    public void Begin(PositionedCommand? piggybacked)
    {
        Forget();
        (Piggybacked, _isPiggybacked) = (piggybacked, true);
    }

    /// <summary>
    /// The server acknowledged the commit of everything that was sent so far, and the position query was answered after it.
    /// </summary>
    public void Committed(in PiggybackedPosition position)
    {
        _position = position;
        EndPiggyback(Ending.Committed);
    }

    /// <summary>
    /// The statement and its position query are read to their end. Whatever is answered on the connection before it closes was sent by code
    /// that shares it, such as an interceptor of the application, and may have written more than the position includes.
    /// </summary>
    public void EndOfAnswer() => _receivedAtEnd = _physical?.Received;

    /// <summary>
    /// The server acknowledged the write, and the position query failed: the position is pending, and nothing is in doubt even if the
    /// connection broke.
    /// </summary>
    public void AcknowledgedWithoutPosition()
    {
        if (_ending != Ending.Committed) EndPiggyback(Ending.Acknowledged);
    }

    /// <summary>Nothing was committed on the connection, or a rollback is about to be sent.</summary>
    public void RolledBack() => EndPiggyback(Ending.RolledBack);

    /// <summary>The write failed, or the connection ended before an answer: how the connection ends tells what is in doubt.</summary>
    public void Failed()
    {
        if (_isPiggybacked) EndPiggyback(Ending.Unknown);
    }

    /// <summary>More may be sent on the connection: what was known of the statements before says nothing of it.</summary>
    public void Forget()
    {
        Failed();
        (_ending, _position, Piggybacked, _receivedAtEnd) = (Ending.Unknown, default, null, null);
    }

    /// <summary>The connection was closed, or broke, perhaps during a commit, which the server may or may not finish.</summary>
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

        // What was written last is not the position's, and not the acknowledgement's.
        isBroken |= _physical is { IsBroken: true };
        if (_physical is not null && _receivedAtEnd is { } end && _physical.Received != end) _ending = Ending.Unknown;

        foreach (var registration in ignoring?.Values ?? Enumerable.Empty<IDisposable>()) registration.Dispose();

        // Npgsql raises the event of a broken connection before it throws what broke it.
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
        var at = _ending == Ending.Committed ? LearnedOf(_position) : null;

        // Whatever the primary answered, an error included, told of what it has.
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
    /// A transaction of System.Transactions outlives the connection: the write is under way until it ends, which is before its scope does.
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

            // What is thrown here fails the opening, and Npgsql gives the connection back. Closing it as well would put it into the pool
            // twice.
            // The node answers a connection, whatever the last probe brought: it is asked once more before the connection is refused.
            if (_owner.Monitor.Snapshot.PrimaryIndex != NodeIndex) _owner.Sample(NodeIndex);
            _owner.Validate?.Invoke(CurrentSession);
            _physical = PhysicalConnection.Of(connection);
            Opened(connection.PostgresParameters.TryGetValue("in_hot_standby", out var standby) && standby == "on", connection.ProcessID);
        }
        else if (change.CurrentState is ConnectionState.Closed or ConnectionState.Broken)
        {
            // The event says "from open to closed" even of a connection that broke; only the connection itself tells.
            Closed(isBroken: connection.FullState.HasFlag(ConnectionState.Broken));
        }
    }

    // An open connection never outlives the primary's life that it was opened in. A crash that was noted since it was opened leaves open
    // which
    // life that was: the place is pending then, and the session hears that it may have been lost.
    private LearnedPosition? LearnedOf(in PiggybackedPosition sampled)
    {
        if (_node.PrimaryEpoch != _owner.Monitor.Snapshot.Chain.PrimaryEpoch) return null;
        if (!IsOfEpoch(sampled.Epoch, _owner.Monitor.Snapshot.Nodes[NodeIndex]))
        {
            _owner.Monitor.Suspect(NodeIndex);
            return null;
        }

        return new LearnedPosition(sampled.Position with { Lsn = _node.Pages.BeforeHeader(sampled.Position.Lsn) }, _node.PrimaryEpoch);
    }

    /// <summary>
    /// The position comes from the epoch of the node that the snapshot shows. One of another epoch says nothing before a probe has found
    /// out what lies between the two.
    /// </summary>
    private static bool IsOfEpoch(ServerEpoch sampled, NodeState node) =>
        sampled.IsUnknown || sampled.IsSameButForCleanRestarts(node.Epoch);

    /// <summary>How the latest statement on the connection ended, as far as the server answered.</summary>
    private enum Ending
    {
        Unknown,
        Committed,
        Acknowledged,
        RolledBack,
    }

    /// <summary>The connection closed before it was known how its last statement ended.</summary>
    private sealed record Deferred(ConsistencySession? First, List<ConsistencySession>? Others, bool IsBroken);
}
