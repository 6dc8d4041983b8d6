using System.Data;
using System.Runtime.CompilerServices;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Follows a connection to the primary: what is done on it cannot be seen, so from opening to closing it counts as a write of the session. Its
/// position is pending at the end, unless a commit brought one along.
/// </summary>
internal sealed class WriteLease
{
    private static readonly ConditionalWeakTable<NpgsqlConnection, WriteLease> Leases = [];

    private readonly ClusterConnections _owner;
    private NodeState _node;
    private ConsistencySession? _counted;
    private ConsistencySession? _watching;
    private string? _connectionString;
    private bool _isOpen;
    private int _backend;
    private long _probesSent;

    public WriteLease(ClusterConnections owner, NodeState node, ConsistencySession? session)
    {
        _owner = owner;
        _node = node;
        Session = session;
    }

    /// <summary>The node the connection leads to.</summary>
    public int NodeIndex => _node.Index;

    /// <summary>The session that what is done between opening and closing belongs to.</summary>
    public ConsistencySession? Session { get; set; }

    /// <summary>The connection is about to be opened for nothing but reading: nothing becomes pending.</summary>
    public bool IsForReading { get; set; }

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
    /// <exception cref="RoutingException">It is a standby; the connection must be closed.</exception>
    /// <param name="isStandby">It is one.</param>
    /// <param name="backend">The server process that the connection leads to.</param>
    public void Opened(bool isStandby, int backend)
    {
        if (isStandby)
        {
            _owner.Monitor.Suspect(NodeIndex);
            throw RoutingException.NoLongerPrimary(_owner.Decide(ReadRequirement.Primary(RouteReason.Write)), _node.Name);
        }

        _isOpen = true;
        Outcome = null;

        // The lease may be as old as a context: what counts is the life of the server that this connection leads to.
        _node = _owner.Monitor.Snapshot.Nodes[NodeIndex];
        _probesSent = _owner.Monitor.ProbesSent;

        // Behind a pooler nobody knows who runs the statement.
        _backend = _node.IsPooled ? 0 : backend;
        var follows = IsForReading || Session?.BeginWrite() == true;
        _counted = IsForReading || !follows ? null : Session;
        _watching = follows ? Session : null;
    }

    /// <summary>The connection was closed, or broke, perhaps during a commit, which the server may or may not finish.</summary>
    public void Closed(bool isBroken)
    {
        if (!_isOpen) return;
        _isOpen = false;
        var (session, watching) = (_counted, _watching);
        (_counted, _watching) = (null, null);

        // Whatever the primary answered, an error included, told of what it has.
        watching?.Saw(_node, onPrimary: true, StampOf(Outcome?.Seen));
        if (session is null) return;

        if (isBroken) session.EndWrite(_node, at: null, isInDoubt: true, _backend, _backend == 0 ? 0 : _probesSent + 1);
        else if (Outcome is { Written: null }) session.AbandonWrite();
        else session.EndWrite(_node, StampOf(Outcome?.Written));
    }

    private void OnStateChange(object sender, StateChangeEventArgs change)
    {
        var connection = (NpgsqlConnection)sender;
        if (change.CurrentState == ConnectionState.Open && !_isOpen)
        {
            if (Of(connection) is null) return;
            try
            {
                Opened(connection.PostgresParameters.TryGetValue("in_hot_standby", out var standby) && standby == "on", connection.ProcessID);
            }
            catch
            {
                connection.Close();
                throw;
            }
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
