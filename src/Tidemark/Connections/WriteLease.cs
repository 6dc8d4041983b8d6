using System.Data;
using System.Runtime.CompilerServices;
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

    public WriteLease(ClusterConnections owner, NodeState node, ConsistencySession? session)
    {
        _owner = owner;
        _node = node;
        Session = session;
    }

    /// <summary>The node the connection leads to.</summary>
    public int NodeIndex => _node.Index;

    /// <summary>The session that what is done between opening and closing belongs to, unless <see cref="FindSession"/> finds another.</summary>
    public ConsistencySession? Session { get; set; }

    /// <summary>Finds the session at each opening; <see langword="null"/>: it is always <see cref="Session"/>.</summary>
    public Func<ConsistencySession?>? FindSession { get; set; }

    /// <summary>The connection is opened for one save and closed at its end: nothing but the save is done on it.</summary>
    public bool IsOpenedBySave { get; set; }

    /// <summary>Set while a commit ends that brought its position along, or a rollback: closing then leaves nothing pending.</summary>
    public WriteOutcome? Outcome { get; set; }

    /// <summary>Follows a connection from its next opening on.</summary>
    public void Follow(NpgsqlConnection connection)
    {
        _connectionString = connection.ConnectionString;
        Leases.Add(connection, this);
        connection.StateChange += OnStateChange;
    }

    /// <summary>
    /// The lease of a connection; <see langword="null"/> when it is not one of Tidemark's to the primary, or was given another connection string since and
    /// leads wherever that says.
    /// </summary>
    public static WriteLease? Of(NpgsqlConnection connection) =>
        Leases.TryGetValue(connection, out var lease) && lease._connectionString == connection.ConnectionString ? lease : null;

    /// <summary>The connection is open. The server says with every one whether it is a standby: a node demoted since the last probe is not written to.</summary>
    /// <exception cref="RoutingException">It is a standby, or not the primary of the snapshot; the connection must be closed.</exception>
    /// <param name="isStandby">It is one.</param>
    /// <param name="backend">The server process that the connection leads to.</param>
    public void Opened(bool isStandby, int backend)
    {
        // The connection may have been created long ago: before a promotion, or before the node turned out to be of another cluster.
        var snapshot = _owner.Monitor.Snapshot;
        if (isStandby)
        {
            _owner.Monitor.Suspect(NodeIndex);
            throw RoutingException.NoLongerPrimary(_owner.Decide(ReadRequirement.Primary(RouteReason.Write)), _node.Name);
        }

        if (snapshot.PrimaryIndex != NodeIndex)
            throw RoutingException.NotThePrimary(_owner.Decide(ReadRequirement.Primary(RouteReason.Write)), snapshot.Nodes[NodeIndex], snapshot);

        _isOpen = true;
        Outcome = null;

        // The lease may be as old as a context: what counts is the life of the server that this connection leads to.
        _node = snapshot.Nodes[NodeIndex];

        // Behind a pooler nobody knows who runs the statement.
        _backend = _node.IsPooled ? 0 : backend;
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

        foreach (var registration in ignoring?.Values ?? Enumerable.Empty<IDisposable>()) registration.Dispose();
        if (first is not null) End(first, isBroken);
        foreach (var session in others ?? []) End(session, isBroken);
    }

    private ConsistencySession? CurrentSession => FindSession is { } find ? find() : Session;

    private void End(ConsistencySession session, bool isBroken)
    {
        // Whatever the primary answered, an error included, told of what it has.
        session.Saw(_node, onPrimary: true, StampOf(Outcome?.Seen));
        session.EndShowingWithWrites();
        if (isBroken) session.EndWrite(_node, at: null, isInDoubt: true, _backend);
        else if (Outcome is { Written: null }) session.AbandonWrite();
        else session.EndWrite(_node, StampOf(Outcome?.Written));
    }

    private void OnStateChange(object sender, StateChangeEventArgs change)
    {
        var connection = (NpgsqlConnection)sender;
        if (change.CurrentState == ConnectionState.Open && !_isOpen)
        {
            if (Of(connection) is null) return;

            // What is thrown here fails the opening, and Npgsql gives the connection back. Closing it as well would put it into the pool twice.
            // The node answers a connection, whatever the last probe brought: it is asked once more before the connection is refused.
            if (_owner.Monitor.Snapshot.PrimaryIndex != NodeIndex) _owner.Sample(NodeIndex);
            _owner.Validate?.Invoke(CurrentSession);
            Opened(connection.PostgresParameters.TryGetValue("in_hot_standby", out var standby) && standby == "on", connection.ProcessID);
        }
        else if (change.CurrentState is ConnectionState.Closed or ConnectionState.Broken)
        {
            // The event says "from open to closed" even of a connection that broke; only the connection itself tells.
            Closed(isBroken: connection.FullState.HasFlag(ConnectionState.Broken));
        }
    }

    // An open connection never outlives the primary's life that it was opened in. A crash that was noted since it was opened leaves open which
    // life that was: the place is pending then, and the session hears that it may have been lost.
    private Stamp? StampOf(Place? place) =>
        place is { } p && _node.Incarnation == _owner.Monitor.Snapshot.Chain.Incarnation
            ? new Stamp(p with { Position = _node.Pages.BeforeHeader(p.Position) }, _node.Incarnation)
            : null;
}

/// <summary>How what was done on a connection ended, where the end itself told.</summary>
/// <param name="Written">The place of the commit; <see langword="null"/>: it was rolled back.</param>
/// <param name="Seen">A bound of what was visible on the primary then; <see langword="null"/>: unknown.</param>
internal sealed record WriteOutcome(Place? Written, Place? Seen)
{
    public static WriteOutcome RolledBack { get; } = new(null, null);
}
