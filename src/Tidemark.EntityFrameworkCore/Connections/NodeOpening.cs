namespace Tidemark;

/// <summary>
/// Opens one of the context's connections to the node that serves a read, and begins an operation on it. EF Core opens the connection, so
/// that the user's connection interceptors run there. Once the operation has begun, the connection stays open and belongs to the caller.
/// Under a mirror, nothing is opened.
/// </summary>
/// <param name="routing">The context's routing.</param>
/// <param name="begin">
/// Begins the operation on an open connection, and returns what the caller receives. Under a mirror, the connection is
/// <see langword="null"/>. The third argument says how to wait.
/// </param>
internal sealed class NodeOpening<T>(
    ContextRouting routing, Func<NodeConnection?, RouteDecision, IoMode, CancellationToken, ValueTask<T>> begin) : IReadOperation<T>
    where T : class
{
    private NodeConnection? _node;
    private RouteDecision _decision;

    // Opening and checking a connection are not the caller's commands, whichever of their steps takes too long.
    public bool RunsCallersCommand => false;

    public bool MayHaveWritten => false;

    public T Open(in ReadAsk ask) => ReadLoop.Run(routing.Source.Watermarks, Request(ask), this);

    public ValueTask<T> OpenAsync(in ReadAsk ask, CancellationToken cancellationToken) =>
        ReadLoop.RunAsync(routing.Source.Watermarks, Request(ask), this, IoMode.Async, cancellationToken);

    public async ValueTask<ConnectionCheck> OpenAsync(RouteDecision decision, bool isWrite, IoMode io,
        CancellationToken cancellationToken)
    {
        _decision = decision;
        if (routing.Mirror is not null)
        {
            routing.StayOn(decision);
            return ConnectionCheck.None;
        }

        _node = routing.NewConnectionTo(decision);
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

    public void Deliver()
    {
        if (_node is null) Mirror.NoteSeen(_decision, routing.Session);
        else _node.Deliver();
    }

    public async ValueTask CloseAsync(IoMode io)
    {
        if (_node is null) return;
        await _node.DisposeAsync(io).ConfigureAwait(false);
    }

    // A connection that is opened here only reads. No statement moves to the primary because it writes.
    private ReadRequest Request(in ReadAsk ask) => routing.BeginRead(ask) with { MustNotWrite = true };
}
