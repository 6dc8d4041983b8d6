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
    private readonly string _connectionString;
    private NodeState _node;
    private ConsistencySession? _counted;
    private ConsistencySession? _watching;
    private bool _isOpen;

    private WriteLease(ClusterConnections owner, string connectionString, NodeState node, ConsistencySession? session)
    {
        _owner = owner;
        _connectionString = connectionString;
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
    public static WriteLease Follow(NpgsqlConnection connection, ClusterConnections owner, NodeState node, ConsistencySession? session)
    {
        var lease = new WriteLease(owner, connection.ConnectionString, node, session);
        Leases.Add(connection, lease);
        connection.StateChange += lease.OnStateChange;
        return lease;
    }

    /// <summary>
    /// The lease of a connection; <see langword="null"/> when it is not one of Tidemark's to the primary, or was given another connection string since and
    /// leads wherever that says.
    /// </summary>
    public static WriteLease? Of(NpgsqlConnection connection) =>
        Leases.TryGetValue(connection, out var lease) && lease._connectionString == connection.ConnectionString ? lease : null;

    private void OnStateChange(object sender, StateChangeEventArgs change)
    {
        if (change.CurrentState == ConnectionState.Open && !_isOpen) Opened((NpgsqlConnection)sender);
        else if (change.CurrentState is ConnectionState.Closed or ConnectionState.Broken && _isOpen) Closed((NpgsqlConnection)sender);
    }

    private void Opened(NpgsqlConnection connection)
    {
        if (Of(connection) is null) return;

        // The server says with every connection whether it is a standby: a node demoted since the last probe must not be taken for the primary.
        if (connection.PostgresParameters.TryGetValue("in_hot_standby", out var standby) && standby == "on")
        {
            _owner.Monitor.Suspect(NodeIndex);
            connection.Close();
            throw RoutingException.NoLongerPrimary(_owner.Decide(ReadRequirement.Primary(RouteReason.Write)), _node.Name);
        }

        _isOpen = true;
        Outcome = null;

        // The lease may be as old as a context: what counts is the life of the server that this connection leads to.
        _node = _owner.Monitor.Snapshot.Nodes[NodeIndex];
        var follows = IsForReading || Session?.BeginWrite() == true;
        _counted = IsForReading || !follows ? null : Session;
        _watching = follows ? Session : null;
    }

    private void Closed(NpgsqlConnection connection)
    {
        _isOpen = false;
        var (session, watching) = (_counted, _watching);
        (_counted, _watching) = (null, null);

        // Whatever the primary answered, an error included, told of what it has.
        watching?.Saw(_node, onPrimary: true, StampOf(Outcome?.Seen));
        if (session is null) return;

        // A broken connection may have broken during a commit, which the server may or may not finish. The event says "from open to closed"
        // even then; only the connection itself tells.
        if (connection.FullState.HasFlag(ConnectionState.Broken)) session.EndWrite(_node, at: null, isInDoubt: true);
        else if (Outcome is { Written: null }) session.AbandonWrite();
        else session.EndWrite(_node, StampOf(Outcome?.Written));
    }

    // An open connection never outlives the primary's life that it was opened in. A crash that was noted since it was opened leaves open which
    // life that was: the place is pending then, and the session hears that it may have been lost.
    private Stamp? StampOf(Place? place) =>
        place is { } p && _node.Incarnation == _owner.Monitor.Snapshot.Chain.Incarnation ? new Stamp(p, _node.Incarnation) : null;
}

/// <summary>How what was done on a connection ended, where the end itself told.</summary>
/// <param name="Written">The place of the commit; <see langword="null"/>: it was rolled back.</param>
/// <param name="Seen">A bound of what was visible on the primary then; <see langword="null"/>: unknown.</param>
internal sealed record WriteOutcome(Place? Written, Place? Seen)
{
    public static WriteOutcome RolledBack { get; } = new(null, null);
}
