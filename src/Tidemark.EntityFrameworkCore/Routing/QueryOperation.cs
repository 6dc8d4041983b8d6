using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark;

/// <summary>
/// Runs one query at a time that may leave the primary: on the context's own connection to the node of each attempt, or on the main
/// connection if the query writes. Serves the context's next query once this one has been read.
/// </summary>
internal sealed class QueryOperation(ContextState state, NodeConnections connections) : IReadOperation<RelationalDataReader>
{
    private SentCommand _command = null!;
    private RelationalCommandParameterObject _parameters;
    private NodeConnection? _node;
    private bool _isOpen;
    private int _isTaken = 1;

    public bool RunsCallersCommand => true;

    public bool MayHaveWritten => _node?.MayHaveWritten == true;

    /// <summary>Takes the operation if it has run its query. Two queries never use it at once.</summary>
    public bool TryTake() => Interlocked.Exchange(ref _isTaken, 1) == 0;

    /// <summary>Prepares the operation to run a query.</summary>
    public QueryOperation Of(SentCommand command, in RelationalCommandParameterObject parameters)
    {
        (_command, _parameters) = (command, parameters);
        return this;
    }

    public async ValueTask<ConnectionCheck> OpenAsync(RouteDecision decision, bool isWrite, IoMode io,
        CancellationToken cancellationToken)
    {
        state.Attempt(decision, isWrite);
        _node = isWrite ? null : connections.To(decision, state.Session);
        if (_node is null) return ConnectionCheck.None;

        if (io == IoMode.Async) await _node.OpenAsync(cancellationToken).ConfigureAwait(false);
        else _node.Open();
        _isOpen = true;
        return _node.Check(decision);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<RelationalDataReader?> SendAsync(ReadProof? proof, IoMode io, CancellationToken cancellationToken)
    {
        // A query is routed only if nothing else is open on the main connection, so a query that writes commits by itself there.
        if (_node is null)
            return await _command.SendAsync(_parameters, state.Pending with { CommitsByItself = true }, io, cancellationToken)
                .ConfigureAwait(false);
        try
        {
            _node.Sending(proof);
            var reader = await NodeTypes.ReadAsync(
                _command, Through(_node), state.Source, _node.NodeIndex, state.Pending with { Proof = proof },
                    mayRetry: !_node.MayHaveWritten, io, cancellationToken).ConfigureAwait(false);

            // The reader has opened the connection once more for itself.
            Deliver();
            await CloseAsync(io).ConfigureAwait(false);
            End();
            return reader;
        }
        catch (ReplicaBehindException)
        {
            return null;
        }
    }

    public void Deliver() => _node?.Deliver();

    public async ValueTask CloseAsync(IoMode io)
    {
        if (!_isOpen) return;
        _isOpen = false;
        if (io == IoMode.Async) await _node!.CloseAsync().ConfigureAwait(false);
        else _node!.Close();
    }

    /// <summary>
    /// Returns the query on the node's connection, with the timeout that was set on the context (<c>SetCommandTimeout</c>).
    /// </summary>
    private RelationalCommandParameterObject Through(NodeConnection node)
    {
        node.CommandTimeout = _parameters.Connection.CommandTimeout;
        return new(
            node,
            _parameters.ParameterValues,
            _parameters.ReaderColumns,
            _parameters.Context,
            _parameters.Logger,
            _parameters.DetailedErrorsEnabled,
            _parameters.CommandSource);
    }

    // An operation that failed has further attempts to make, or is not reused.
    private void End()
    {
        (_command, _parameters, _node) = (null!, default, null);
        Volatile.Write(ref _isTaken, 0);
    }
}
