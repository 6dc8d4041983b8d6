using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Follows a connection to the primary that was handed out: what is done on it cannot be seen, so from opening to closing it counts as a write
/// of the session whose position is pending.
/// </summary>
internal sealed class WriteLease
{
    private readonly ClusterConnections _owner;
    private readonly RouteDecision _decision;
    private readonly ConsistencySession? _session;
    private bool _isOpen;

    private WriteLease(ClusterConnections owner, in RouteDecision decision, ConsistencySession? session)
    {
        _owner = owner;
        _decision = decision;
        _session = session;
    }

    public static void Follow(NpgsqlConnection connection, ClusterConnections owner, in RouteDecision decision, ConsistencySession? session) =>
        connection.StateChange += new WriteLease(owner, decision, session).OnStateChange;

    /// <summary>The server says with every connection whether it is a standby: a node demoted since the last probe must not be taken for the primary.</summary>
    internal static void ThrowIfStandby(NpgsqlConnection connection, ClusterConnections owner, in RouteDecision decision)
    {
        if (!connection.PostgresParameters.TryGetValue("in_hot_standby", out var standby) || standby != "on") return;
        owner.Monitor.Suspect(decision.NodeIndex);
        throw new RoutingException(
            $"'{decision.Node}' was the primary when it was last probed, but answers as a standby now. " +
            "The write was not sent. Repeat it: Tidemark follows the new primary within a probe interval (ProbeInterval).",
            decision);
    }

    private void OnStateChange(object sender, StateChangeEventArgs change)
    {
        var connection = (NpgsqlConnection)sender;
        if (change.CurrentState == ConnectionState.Open && !_isOpen)
        {
            try
            {
                ThrowIfStandby(connection, _owner, _decision);
            }
            catch
            {
                connection.Close();
                throw;
            }

            _isOpen = true;
            _session?.BeginWrite(_decision.State.Timeline);
        }
        else if (change.CurrentState != ConnectionState.Open && _isOpen)
        {
            _isOpen = false;

            // A broken connection may have broken during a commit, which the server may or may not finish. The event says "from open to closed"
            // even then; only the connection itself tells.
            _session?.EndWrite(at: null, isInDoubt: connection.FullState.HasFlag(ConnectionState.Broken));
        }
    }
}
