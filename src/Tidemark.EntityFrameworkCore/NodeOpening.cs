namespace Tidemark;

/// <summary>
/// Opens a connection of the context's to the node that a read goes to, and begins something on it. EF Core opens it, so that the user's
/// connection
/// interceptors run there. Once something has begun on it the connection stays open, and is the caller's. Under a mirror nothing is opened.
/// </summary>
/// <param name="routing">The context's.</param>
/// <param name="begin">
/// Begins on an open connection, which is <see langword="null"/> under a mirror, what the caller is given; with false for its third
/// argument it blocks.
/// </param>
internal sealed class NodeOpening<T>(
    ContextRouting routing, Func<NodeConnection?, RouteDecision, bool, CancellationToken, ValueTask<T>> begin) : IReadOperation<T>
    where T : class
{
    private NodeConnection? _node;
    private RouteDecision _decision;

    // Opening and checking are not the caller's commands, whatever takes too long in them.
    public bool RunsCallersCommand => false;

    public bool MayHaveWritten => false;

    public T Open(in ReadAsk ask) => ReadLoop.Run(routing.Source.Watermarks, Attempts(ask), this);

    public ValueTask<T> OpenAsync(in ReadAsk ask, CancellationToken cancellationToken) =>
        ReadLoop.RunAsync(routing.Source.Watermarks, Attempts(ask), this, isAsync: true, cancellationToken);

    public async ValueTask<ConnectionCheck> OpenAsync(RouteDecision decision, bool isWrite, bool isAsync,
        CancellationToken cancellationToken)
    {
        _decision = decision;
        if (routing.Mirror is not null)
        {
            routing.StayOn(decision);
            return ConnectionCheck.None;
        }

        _node = routing.NewConnectionTo(decision);
        if (isAsync) await _node.OpenAsync(cancellationToken).ConfigureAwait(false);
        else _node.Open();
        return _node.Check(decision);
    }

    public async ValueTask<T?> SendAsync(ReadProof? proof, bool isAsync, CancellationToken cancellationToken)
    {
        if (proof is { IsRequired: true } && _node is { DbConnection: var connection })
        {
            var passes = isAsync
                ? await ReadCheck.PassesAsync(connection, proof, cancellationToken).ConfigureAwait(false)
                : ReadCheck.Passes(connection, proof);
            if (!passes) return null;
        }

        return await begin(_node, _decision, isAsync, cancellationToken).ConfigureAwait(false);
    }

    public void Deliver()
    {
        if (_node is null) Mirror.NoteSeen(_decision, routing.Session);
        else _node.Deliver();
    }

    public async ValueTask CloseAsync(bool isAsync)
    {
        if (_node is null) return;
        if (isAsync) await _node.DisposeAsync().ConfigureAwait(false);
        else _node.Dispose();
    }

    // What is opened here is for reading alone: no statement moves to the primary because it writes.
    private ReadAttempts Attempts(in ReadAsk ask) => routing.BeginRead(ask) with { MustNotWrite = true };
}
