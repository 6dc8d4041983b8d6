using Npgsql;

namespace Tidemark;

/// <summary>
/// Checks a connection for reading that was handed out, each time its user opens it again: the role, the node's status now, and what the
/// session requires. It cannot be moved, so that a check that fails refuses the opening.
/// </summary>
/// <param name="source">Where it was opened.</param>
/// <param name="consistency">What its reads ask for.</param>
/// <param name="node">The name of its node.</param>
internal sealed class ReadReopening(TidemarkDataSource source, Consistency consistency, string node)
{
    /// <summary>Checks an open connection, blocking. Returns the node now, and the session that the connection belongs to from now on.</summary>
    /// <exception cref="RoutingException">The node cannot serve the session.</exception>
    public (NodeState Node, ConsistencySession? Session) Check(ReadLease lease, NpgsqlConnection connection)
    {
        var session = source.CurrentSession;
        var trip = new Trip(source.Cluster, lease, connection);
        try
        {
            ReadLoop.Run(source.Horizons, new ReadAttempts(source.Cluster, session, consistency, node) { MustNotWrite = true }, trip);
            return (trip.Decision.State, session);
        }
        catch (RoutingException refused)
        {
            throw RoutingException.NotReopened(node, refused);
        }
    }

    /// <summary>An attempt that opens nothing: it checks the connection that there is.</summary>
    private sealed class Trip(ClusterConnections cluster, ReadLease lease, NpgsqlConnection connection) : IReadTrip<Trip>
    {
        public RouteDecision Decision { get; private set; }

        public bool RunsCallersCommand => false;

        public bool MayHaveWritten => false;

        public ValueTask<ConnectionCheck> OpenAsync(RouteDecision decision, bool isWrite, bool isAsync, CancellationToken cancellationToken)
        {
            Decision = decision;
            if (connection.PostgresParameters.TryGetValue("in_hot_standby", out var standby) && standby == "on" != decision.IsReplica)
            {
                cluster.Monitor.Suspect(decision.NodeIndex);
                throw RoutingException.RoleChanged(decision, decision.Node!);
            }

            return new ValueTask<ConnectionCheck>(cluster.CheckOf(lease, decision));
        }

        public ValueTask<Trip?> SendAsync(ReadProof? proof, bool isAsync, CancellationToken cancellationToken) =>
            new(proof is null || ReadCheck.Passes(connection, proof) ? this : null);

        public void Deliver()
        {
        }

        public ValueTask CloseAsync(bool isAsync) => ValueTask.CompletedTask;
    }
}
