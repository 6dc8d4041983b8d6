using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>Reaches the nodes of a cluster: each over a connection of its own, which the context keeps.</summary>
internal sealed class ClusterAccess(ContextState state, NodeConnections connections) : INodeAccess
{
    private QueryOperation? _operation;

    public bool LeadsToCluster(IRelationalConnection connection) => MainConnection.IsLeased(connection);

    public bool MayBeLeft(IRelationalConnection connection) => MainConnection.IsIdle(connection) && MainConnection.IsLeased(connection);

    public IReadOperation<RelationalDataReader> Query(SentCommand command, in RelationalCommandParameterObject parameters)
    {
        // The operation serves one query after the other. One that is still in use, or that failed, is replaced.
        if (_operation is not { } operation || !operation.TryTake()) _operation = operation = new QueryOperation(state, connections);
        return operation.Of(command, parameters);
    }

    public IReadOperation<T> Opening<T>(BeginOnNode<T> begin, bool isOneRead)
        where T : class => new NodeOpening<T>(state, connections, begin);

    public void Executing(RouteReason because, in RelationalCommandParameterObject command, string commandText)
    {
    }

    public IDbContextTransaction? Guard(IRelationalConnection main) => null;

    public void ResetState() => connections.ResetState();

    public Task ResetStateAsync(CancellationToken cancellationToken = default) => connections.ResetStateAsync(cancellationToken);

    public void Dispose() => connections.Dispose();

    public ValueTask DisposeAsync() => connections.DisposeAsync();
}
