using System.Data;
using System.Data.Common;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A batch without a connection. Each execution opens a connection to the primary, sends the caller's own batch commands, so that they have
/// their results and output parameters, and closes the connection with the reader.
/// </summary>
internal sealed class TidemarkBatch(TidemarkDataSource source) : DbBatch
{
    private readonly NpgsqlBatch _inner = new();

    public override int Timeout { get => _inner.Timeout; set => _inner.Timeout = value; }

    protected override DbBatchCommandCollection DbBatchCommands => _inner.BatchCommands;

    protected override DbConnection? DbConnection { get => null; set => throw OwnConnection(); }

    protected override DbTransaction? DbTransaction { get => null; set => throw OwnConnection(); }

    public override void Cancel() => _inner.Cancel();

    public override void Prepare() => throw Unprepared();

    public override Task PrepareAsync(CancellationToken cancellationToken = default) => throw Unprepared();

    public override int ExecuteNonQuery() => Io.Result(ExecuteNonQueryAsync(IoMode.Blocking, CancellationToken.None));

    public override Task<int> ExecuteNonQueryAsync(CancellationToken cancellationToken = default) =>
        ExecuteNonQueryAsync(IoMode.Async, cancellationToken).AsTask();

    public override object? ExecuteScalar() => Io.Result(ExecuteScalarAsync(IoMode.Blocking, CancellationToken.None));

    public override Task<object?> ExecuteScalarAsync(CancellationToken cancellationToken = default) =>
        ExecuteScalarAsync(IoMode.Async, cancellationToken).AsTask();

    public override void Dispose()
    {
        _inner.Dispose();
        base.Dispose();
    }

    protected override DbBatchCommand CreateDbBatchCommand() => _inner.CreateBatchCommand();

    protected override DbDataReader ExecuteDbDataReader(CommandBehavior behavior) =>
        Io.Result(ExecuteReaderAsync(behavior, IoMode.Blocking, CancellationToken.None));

    protected override Task<DbDataReader> ExecuteDbDataReaderAsync(CommandBehavior behavior, CancellationToken cancellationToken) =>
        ExecuteReaderAsync(behavior, IoMode.Async, cancellationToken).AsTask();

    private async ValueTask<int> ExecuteNonQueryAsync(IoMode io, CancellationToken cancellationToken)
    {
        var connection = await OpenAsync(io, cancellationToken).ConfigureAwait(false);
        try
        {
            return await _inner.ExecuteNonQueryAsync(io, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await connection.DisposeAsync(io).ConfigureAwait(false);
        }
    }

    private async ValueTask<object?> ExecuteScalarAsync(IoMode io, CancellationToken cancellationToken)
    {
        var connection = await OpenAsync(io, cancellationToken).ConfigureAwait(false);
        try
        {
            return await _inner.ExecuteScalarAsync(io, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await connection.DisposeAsync(io).ConfigureAwait(false);
        }
    }

    private async ValueTask<DbDataReader> ExecuteReaderAsync(CommandBehavior behavior, IoMode io, CancellationToken cancellationToken)
    {
        var connection = await OpenAsync(io, cancellationToken).ConfigureAwait(false);
        try
        {
            var reader = await _inner.ExecuteReaderAsync(io, behavior & ~CommandBehavior.CloseConnection, cancellationToken)
                .ConfigureAwait(false);
            reader.ReaderClosed += (_, _) => connection.Close();
            return reader;
        }
        catch
        {
            await connection.DisposeAsync(io).ConfigureAwait(false);
            throw;
        }
    }

    private async ValueTask<NpgsqlConnection> OpenAsync(IoMode io, CancellationToken cancellationToken)
    {
        var connection = await source.OpenWriteAsync(source.CurrentSession, io, cancellationToken).ConfigureAwait(false);
        _inner.Connection = connection;
        return connection;
    }

    private static NotSupportedException Unprepared() => new(
        "A batch of the data source gets a connection when it runs, so it cannot be prepared. Set 'Max Auto Prepare' in the connection "
            + "strings instead.");

    private static InvalidOperationException OwnConnection() => new(
        "A batch of the data source gets its connection when it runs. To choose the connection, open it with OpenReadConnection or "
            + "OpenWriteConnection, and create the batch on it.");
}
