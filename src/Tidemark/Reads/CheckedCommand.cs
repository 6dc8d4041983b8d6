using System.Data;
using System.Data.Common;
using Npgsql;

namespace Tidemark;

/// <summary>A read that returns its rows only if the node proves, in the same round trip, what the read needs.</summary>
internal sealed class CheckedCommand : NpgsqlCommand
{
    private readonly ReadProof _proof;
    private NpgsqlBatch? _batch;

    /// <param name="connection">An open connection to a replica.</param>
    /// <param name="proof">What the node must prove.</param>
    public CheckedCommand(NpgsqlConnection connection, ReadProof proof)
        : base(null, connection) => _proof = proof;

    protected override DbDataReader ExecuteDbDataReader(CommandBehavior behavior) =>
        Io.Result(ExecuteReaderAsync(behavior, IoMode.Blocking, CancellationToken.None));

    protected override Task<DbDataReader> ExecuteDbDataReaderAsync(CommandBehavior behavior, CancellationToken cancellationToken) =>
        ExecuteReaderAsync(behavior, IoMode.Async, cancellationToken).AsTask();

    public override void Cancel()
    {
        if (_batch is { } batch) batch.Cancel();
        else base.Cancel();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _batch?.Dispose();
        base.Dispose(disposing);
    }

    private async ValueTask<DbDataReader> ExecuteReaderAsync(CommandBehavior behavior, IoMode io, CancellationToken cancellationToken)
    {
        _batch?.Dispose();
        _batch = ReadCheck.Combine(Connection!, this, _proof, behavior, io);
        return await ReadCheck.ExecuteAsync(Connection!, this, _batch, _proof, behavior, io, cancellationToken).ConfigureAwait(false)
            ?? throw new ReplicaBehindException();
    }
}
