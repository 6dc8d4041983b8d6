using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Diagnostics.Internal;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>A context's own connections to the nodes it has read from, one for each node, in addition to its main connection.</summary>
/// <param name="dependencies">The dependencies of the context's main connection.</param>
/// <param name="logs">The context's loggers.</param>
/// <param name="source">The cluster.</param>
/// <param name="ofMain">Tidemark's own interceptor, which handles the main connection only.</param>
internal sealed class NodeConnections(
    RelationalConnectionDependencies dependencies, ILoggerFactory logs, TidemarkDataSource source, IDbConnectionInterceptor ofMain)
    : IResettableService, IDisposable, IAsyncDisposable
{
    private RelationalConnectionDependencies? _quiet;

    // Usually one or two, for which an array costs a new context less than a list.
    private NodeConnection[] _connections = [];

    /// <summary>
    /// The dependencies of connections that need not notify interceptors. EF Core notifies interceptors of each opening and closing, which
    /// costs half a kilobyte per read. That is skipped if the only interceptor is Tidemark's own, which handles the main connection.
    /// </summary>
    private RelationalConnectionDependencies Quiet
    {
        get
        {
            if (_quiet is not null) return _quiet;
            var log = dependencies.ConnectionLogger;
            if (log.Interceptors?.Aggregate<IDbConnectionInterceptor>() != ofMain) return _quiet = dependencies;
#pragma warning disable EF1001 // Only this constructor creates one without interceptors. It logs like the context's own.
            return _quiet = dependencies with
            {
                ConnectionLogger = new RelationalConnectionDiagnosticsLogger(
                    logs, log.Options, log.DiagnosticSource, log.Definitions, log.DbContextLogger, dependencies.ContextOptions),
            };
#pragma warning restore EF1001
        }
    }

    /// <summary>Returns the context's connection to the node of the decision.</summary>
    public NodeConnection To(in RouteDecision decision, ConsistencySession session)
    {
        var found = default(NodeConnection);
        foreach (var connection in _connections)
            if (connection.NodeIndex == decision.NodeIndex) found = connection;

        if (found is null) _connections = [.. _connections, found = new NodeConnection(Quiet, source)];
        found.LeadTo(decision, session);
        return found;
    }

    /// <summary>Creates a connection to the node of the decision that does not belong to the context. The caller disposes of it.</summary>
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
