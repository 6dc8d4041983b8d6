using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>One query that may leave the primary: on the context's own connection to the node of each attempt, and on the main one if it writes.</summary>
internal sealed class QueryTrip(RoutedCommand command, ContextRouting routing, RelationalCommandParameterObject parameters) : IReadTrip<RelationalDataReader>
{
    private NodeConnection? _node;
    private bool _isOpen;

    public bool RunsCallersCommand => true;

    public async ValueTask<ConnectionCheck> OpenAsync(RouteDecision decision, bool isWrite, bool isAsync, CancellationToken cancellationToken)
    {
        _node = routing.ConnectTo(decision, isWrite);
        if (_node is null) return ConnectionCheck.None;

        if (isAsync) await _node.OpenAsync(cancellationToken).ConfigureAwait(false);
        else _node.Open();
        _isOpen = true;
        return routing.Source.Cluster.CheckOf(_node.DbConnection.PostgresParameters, decision);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<RelationalDataReader?> SendAsync(Place? mustShow, bool isAsync, CancellationToken cancellationToken)
    {
        // A query is routed only where nothing else is open on the main connection, so one that writes commits by itself there.
        if (_node is null) return await command.SendAsync(parameters, mustShow: null, isAlone: true, isAsync, cancellationToken).ConfigureAwait(false);
        try
        {
            var reader = await NodeTypes.ReadAsync(command, Through(_node), routing.Source, _node.NodeIndex, mustShow, isAsync, cancellationToken).ConfigureAwait(false);

            // The reader has opened it once more for itself.
            Deliver();
            await CloseAsync(isAsync).ConfigureAwait(false);
            return reader;
        }
        catch (ReplicaBehindException)
        {
            return null;
        }
    }

    public void Deliver() => _node?.Deliver();

    public async ValueTask CloseAsync(bool isAsync)
    {
        if (!_isOpen) return;
        _isOpen = false;
        if (isAsync) await _node!.CloseAsync().ConfigureAwait(false);
        else _node!.Close();
    }

    /// <summary>The query on the node's connection, with the time-out that the context was given (<c>SetCommandTimeout</c>).</summary>
    private RelationalCommandParameterObject Through(NodeConnection node)
    {
        node.CommandTimeout = parameters.Connection.CommandTimeout;
        return new(
            node,
            parameters.ParameterValues,
            parameters.ReaderColumns,
            parameters.Context,
            parameters.Logger,
            parameters.DetailedErrorsEnabled,
            parameters.CommandSource);
    }
}
