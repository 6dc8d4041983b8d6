namespace Tidemark;

/// <summary>
/// Begins an operation other than a query on a node that the mirror's connection plays. Nothing is opened, because that connection is open.
/// </summary>
/// <param name="mirror">The mirror.</param>
/// <param name="state">What the context remembers.</param>
/// <param name="begin">Begins the operation. Gets no connection.</param>
/// <param name="isOneRead">
/// Whether the operation has read everything when it returns. It is then run read-only, because a read connection of a cluster refuses to
/// write but the mirror's connection does not.
/// </param>
internal sealed class MirrorOpening<T>(
    Mirror mirror, ContextState state, BeginOnNode<T> begin, bool isOneRead)
    : IReadOperation<T>
    where T : class
{
    private RouteDecision _decision;

    public bool RunsCallersCommand => false;

    public bool MayHaveWritten => false;

    public ValueTask<ConnectionCheck> OpenAsync(RouteDecision decision, bool isWrite, IoMode io, CancellationToken cancellationToken)
    {
        _decision = decision;
        state.StayOn(decision);
        return new ValueTask<ConnectionCheck>(ConnectionCheck.None);
    }

    public async ValueTask<T?> SendAsync(ReadProof? proof, IoMode io, CancellationToken cancellationToken)
    {
        if (!isOneRead) return await begin(null, _decision, io, cancellationToken).ConfigureAwait(false);
        var read = await MirroredRead.BeginAsync(mirror.Connection, io, cancellationToken).ConfigureAwait(false);
        try
        {
            return await begin(null, _decision, io, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await read.EndAsync(io).ConfigureAwait(false);
        }
    }

    public void Deliver() => Mirror.NoteObserved(_decision, state.Session);

    public ValueTask CloseAsync(IoMode io) => ValueTask.CompletedTask;
}
