using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>A context's own connections to the nodes it has read from, one for each, besides its main one.</summary>
internal sealed class NodeConnections(RelationalConnectionDependencies dependencies, TidemarkDataSource source) : IResettableService, IDisposable, IAsyncDisposable
{
    private readonly List<NodeConnection> _connections = [];

    /// <summary>The context's connection to the node of the decision.</summary>
    public NodeConnection To(in RouteDecision decision, ConsistencySession session)
    {
        var found = default(NodeConnection);
        foreach (var connection in _connections)
            if (connection.NodeIndex == decision.NodeIndex) found = connection;

        if (found is null) _connections.Add(found = new NodeConnection(dependencies, source));
        found.LeadTo(decision, session);
        return found;
    }

    /// <summary>A connection to the node of the decision that is not one of the context's own: it is the caller's to dispose of.</summary>
    public NodeConnection NewTo(in RouteDecision decision, ConsistencySession session)
    {
        var connection = new NodeConnection(dependencies, source);
        connection.LeadTo(decision, session);
        return connection;
    }

    public void ResetState()
    {
        foreach (var connection in _connections) ((IResettableService)connection).ResetState();
    }

    public async Task ResetStateAsync(CancellationToken cancellationToken = default)
    {
        foreach (var connection in _connections)
            await ((IResettableService)connection).ResetStateAsync(cancellationToken).ConfigureAwait(false);
    }

    public void Dispose()
    {
        foreach (var connection in _connections) connection.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var connection in _connections) await connection.DisposeAsync().ConfigureAwait(false);
    }
}
