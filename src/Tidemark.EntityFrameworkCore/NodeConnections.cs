using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Diagnostics.Internal;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>A context's own connections to the nodes it has read from, one for each, besides its main one.</summary>
internal sealed class NodeConnections(RelationalConnectionDependencies dependencies, ILoggerFactory logs, TidemarkDataSource source)
    : IResettableService, IDisposable, IAsyncDisposable
{
    private RelationalConnectionDependencies? _quiet;
    private readonly List<NodeConnection> _connections = [];

    /// <summary>
    /// EF Core tells interceptors of each opening and closing, which costs half a kilobyte a read. Where the only one is Tidemark's own,
    /// which minds the
    /// main connection, nobody is told.
    /// </summary>
    private RelationalConnectionDependencies Quiet
    {
        get
        {
            if (_quiet is not null) return _quiet;
            var log = dependencies.ConnectionLogger;
            if (log.Interceptors?.Aggregate<IDbConnectionInterceptor>() != PrimaryFollower.Instance) return _quiet = dependencies;
#pragma warning disable EF1001 // There is no other way to make one without interceptors. It logs as the context's own does.
            return _quiet = dependencies with
            {
                ConnectionLogger = new RelationalConnectionDiagnosticsLogger(
                    logs, log.Options, log.DiagnosticSource, log.Definitions, log.DbContextLogger, dependencies.ContextOptions),
            };
#pragma warning restore EF1001
        }
    }

    /// <summary>The context's connection to the node of the decision.</summary>
    public NodeConnection To(in RouteDecision decision, ConsistencySession session)
    {
        var found = default(NodeConnection);
        foreach (var connection in _connections)
            if (connection.NodeIndex == decision.NodeIndex) found = connection;

        if (found is null) _connections.Add(found = new NodeConnection(Quiet, source));
        found.LeadTo(decision, session);
        return found;
    }

    /// <summary>A connection to the node of the decision that is not one of the context's own: it is the caller's to dispose of.</summary>
    public NodeConnection NewTo(in RouteDecision decision, ConsistencySession session)
    {
        var connection = new NodeConnection(Quiet, source);
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
