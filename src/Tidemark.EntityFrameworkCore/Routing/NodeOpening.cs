namespace Tidemark;

/// <summary>
/// Opens one of the context's connections to the node that serves a read, and begins an operation on it. EF Core opens the connection, so
/// that the user's connection interceptors run there. Once the operation has begun, the connection stays open and belongs to the caller.
/// </summary>
/// <param name="state">What the context remembers.</param>
/// <param name="connections">The context's connections.</param>
/// <param name="begin">Begins the operation on the open connection.</param>
internal sealed class NodeOpening<T>(
    ContextState state, NodeConnections connections, BeginOnNode<T> begin) : IReadOperation<T>
    where T : class
{
    private NodeConnection? _node;
    private RouteDecision _decision;

    // Opening and checking a connection are not the caller's commands, whichever of their steps takes too long.
    public bool RunsCallersCommand => false;

    public bool MayHaveWritten => false;

    public async ValueTask<ConnectionCheck> OpenAsync(RouteDecision decision, bool isWrite, IoMode io,
        CancellationToken cancellationToken)
    {
        _decision = decision;
        state.StayOn(decision);
        _node = connections.NewTo(decision, state.Session);
        if (io == IoMode.Async) await _node.OpenAsync(cancellationToken).ConfigureAwait(false);
        else _node.Open();
        return _node.Check(decision);
    }

    public async ValueTask<T?> SendAsync(ReadProof? proof, IoMode io, CancellationToken cancellationToken)
    {
        if (proof is { IsRequired: true } && _node is { DbConnection: var connection })
        {
            if (!await ReadCheck.PassesAsync(connection, proof, io, cancellationToken).ConfigureAwait(false)) return null;
        }

        return await begin(_node, _decision, io, cancellationToken).ConfigureAwait(false);
    }

    public void Deliver() => _node?.Deliver();

    public async ValueTask CloseAsync(IoMode io)
    {
        if (_node is null) return;
        await _node.DisposeAsync(io).ConfigureAwait(false);
    }
}
