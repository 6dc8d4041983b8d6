using Npgsql;

namespace Tidemark;

/// <summary>
/// Checks a read connection that was handed out, each time the caller opens it again: the role, the current status of the node, and what
/// the session requires. The connection cannot be moved to another node, so a failed check fails the opening.
/// </summary>
/// <param name="watermarks">Resolves what the session requires.</param>
/// <param name="cluster">The nodes.</param>
/// <param name="findSession">Returns the session that surrounds the caller.</param>
/// <param name="consistency">The consistency level of its reads.</param>
/// <param name="node">The name of its node.</param>
internal sealed class ReadReopening(
    WatermarkResolver watermarks, ClusterConnections cluster, Func<ConsistencySession?> findSession, Consistency consistency,
        string node) : ReopeningCheck
{
    /// <inheritdoc/>
    public override (NodeState Node, ConsistencySession? Session) Check(ReadLease lease, NpgsqlConnection connection)
    {
        var session = findSession();
        var operation = new Operation(cluster, lease, connection);
        try
        {
            ReadLoop.Run(watermarks, new ReadRequest(session, consistency, node) { MustNotWrite = true }, operation);
            return (operation.Decision.State, session);
        }
        catch (RoutingException refused)
        {
            throw RoutingException.NotReopened(node, refused);
        }
    }

    /// <summary>An attempt that opens nothing: it checks the existing connection.</summary>
    private sealed class Operation(ClusterConnections cluster, ReadLease lease, NpgsqlConnection connection) : IReadOperation<Operation>
    {
        public RouteDecision Decision { get; private set; }

        public bool RunsCallersCommand => false;

        public bool MayHaveWritten => false;

        public ValueTask<ConnectionCheck> OpenAsync(
            RouteDecision decision, bool isWrite, IoMode io, CancellationToken cancellationToken)
        {
            Decision = decision;
            if (connection.PostgresParameters.TryGetValue("in_hot_standby", out var standby) && standby == "on" != decision.IsReplica)
            {
                cluster.Monitor.Suspect(decision.NodeIndex);
                throw RoutingException.RoleChanged(decision, decision.Node!);
            }

            return new ValueTask<ConnectionCheck>(cluster.CheckOf(lease, decision));
        }

        public async ValueTask<Operation?> SendAsync(ReadProof? proof, IoMode io, CancellationToken cancellationToken) =>
            proof is null || await ReadCheck.PassesAsync(connection, proof, io, cancellationToken).ConfigureAwait(false) ? this : null;

        public void Deliver()
        {
        }

        public ValueTask CloseAsync(IoMode io) => ValueTask.CompletedTask;
    }
}
