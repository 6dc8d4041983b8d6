using System.Data;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A command without a connection. Each execution of a read is routed separately, verified if necessary, and retried on another node if its
/// node fails before the first row. Commands for writing run on the primary, once.
/// </summary>
internal sealed class TidemarkCommand(TidemarkDataSource source, Consistency? consistency, bool isWrite) : DbCommand
{
    private readonly NpgsqlCommand _inner = new();

    // What was sent last, which is not always the caller's command: it may be a copy, or a batch with the check. Kept until the next one or
    // the end of this command, because a command that was disposed of cannot be cancelled.
    private NpgsqlCommand? _sent;
    private NpgsqlBatch? _sentBatch;

    // Without a timeout of its own, a command takes that of the connection string.
    private bool _hasTimeout;

    private TidemarkDataSource Source => source;

    [AllowNull]
    public override string CommandText { get => _inner.CommandText; set => _inner.CommandText = value; }

    public override int CommandTimeout
    {
        get => _inner.CommandTimeout;
        set
        {
            _inner.CommandTimeout = value;
            _hasTimeout = true;
        }
    }

    public override CommandType CommandType { get => _inner.CommandType; set => _inner.CommandType = value; }

    public override bool DesignTimeVisible { get => false; set { } }

    public override UpdateRowSource UpdatedRowSource { get => _inner.UpdatedRowSource; set => _inner.UpdatedRowSource = value; }

    protected override DbParameterCollection DbParameterCollection => _inner.Parameters;

    protected override DbConnection? DbConnection { get => null; set => throw OwnConnection(); }

    protected override DbTransaction? DbTransaction { get => null; set => throw OwnConnection(); }

    public override void Cancel()
    {
        _sentBatch?.Cancel();
        _sent?.Cancel();
    }

    public override void Prepare() => throw new NotSupportedException(
        "A routed command can run on a different node each time, so it cannot be prepared. Set 'Max Auto Prepare' in the connection "
            + "strings instead.");

    public override int ExecuteNonQuery() => Io.Result(ExecuteNonQueryAsync(IoMode.Blocking, CancellationToken.None));

    public override Task<int> ExecuteNonQueryAsync(CancellationToken cancellationToken) =>
        ExecuteNonQueryAsync(IoMode.Async, cancellationToken).AsTask();

    public override object? ExecuteScalar() => Io.Result(ExecuteScalarAsync(IoMode.Blocking, CancellationToken.None));

    public override Task<object?> ExecuteScalarAsync(CancellationToken cancellationToken) =>
        ExecuteScalarAsync(IoMode.Async, cancellationToken).AsTask();

    protected override DbParameter CreateDbParameter() => _inner.CreateParameter();

    protected override DbDataReader ExecuteDbDataReader(CommandBehavior behavior) =>
        Io.Result(ExecuteReaderAsync(behavior, IoMode.Blocking, CancellationToken.None));

    protected override Task<DbDataReader> ExecuteDbDataReaderAsync(CommandBehavior behavior, CancellationToken cancellationToken) =>
        ExecuteReaderAsync(behavior, IoMode.Async, cancellationToken).AsTask();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Sending(null, null);
            _inner.Dispose();
        }

        base.Dispose(disposing);
    }

    private void Sending(NpgsqlCommand? command, NpgsqlBatch? batch)
    {
        if (_sent != _inner) _sent?.Dispose();
        _sentBatch?.Dispose();
        (_sent, _sentBatch) = (command, batch);
    }

    private async ValueTask<DbDataReader> ExecuteReaderAsync(CommandBehavior behavior, IoMode io, CancellationToken cancellationToken)
    {
        if (!isWrite)
        {
            var request = source.BeginRead(consistency) with { Text = CommandText };
            return await ReadLoop.RunAsync(source.Watermarks, request, new Operation(this, behavior), io, cancellationToken)
                .ConfigureAwait(false);
        }

        var connection = await source.OpenWriteAsync(source.CurrentSession, io, cancellationToken).ConfigureAwait(false);
        try
        {
            return await WriteAsync(connection, behavior, io, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await connection.DisposeAsync(io).ConfigureAwait(false);
            throw;
        }
    }

    private async ValueTask<int> ExecuteNonQueryAsync(IoMode io, CancellationToken cancellationToken)
    {
        if (isWrite)
        {
            var connection = await source.OpenWriteAsync(source.CurrentSession, io, cancellationToken).ConfigureAwait(false);
            try
            {
                SendingWrite(connection);
                var result = await _sent.ExecuteNonQueryAsync(io, cancellationToken).ConfigureAwait(false);
                BatchText.TakeOutput(_sent, _inner);
                return result;
            }
            finally
            {
                await connection.DisposeAsync(io).ConfigureAwait(false);
            }
        }

        var reader = await ExecuteReaderAsync(CommandBehavior.Default, io, cancellationToken).ConfigureAwait(false);
        try
        {
            while (await reader.NextResultAsync(io, cancellationToken).ConfigureAwait(false))
            {
            }

            return reader.RecordsAffected;
        }
        finally
        {
            await reader.DisposeAsync(io).ConfigureAwait(false);
        }
    }

    private async ValueTask<object?> ExecuteScalarAsync(IoMode io, CancellationToken cancellationToken)
    {
        if (isWrite)
        {
            var connection = await source.OpenWriteAsync(source.CurrentSession, io, cancellationToken).ConfigureAwait(false);
            try
            {
                SendingWrite(connection);
                var result = await _sent.ExecuteScalarAsync(io, cancellationToken).ConfigureAwait(false);
                BatchText.TakeOutput(_sent, _inner);
                return result;
            }
            finally
            {
                await connection.DisposeAsync(io).ConfigureAwait(false);
            }
        }

        var reader = await ExecuteReaderAsync(CommandBehavior.Default, io, cancellationToken).ConfigureAwait(false);
        try
        {
            var value = await reader.ReadAsync(io, cancellationToken).ConfigureAwait(false) && reader.FieldCount > 0
                ? reader.GetValue(0) : null;
            await EndAfterValueAsync(reader, io).ConfigureAwait(false);
            return value;
        }
        catch
        {
            await reader.DisposeAsync(io).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Closes a reader whose single value was read. A server that shuts down may send a row without the end of the answer. The value is
    /// valid all the same.
    /// </summary>
    private static async ValueTask EndAfterValueAsync(DbDataReader reader, IoMode io)
    {
        try
        {
            await reader.DisposeAsync(io).ConfigureAwait(false);
        }
        catch (Exception e) when (ReadFailures.Classify(e, onReplica: true, isOpen: true) == ReadFailure.NodeLost)
        {
            // The next read detects the loss.
        }
    }

    /// <summary>
    /// Prepares a copy of the statement, with the position query piggybacked if possible. It is a copy so that this command can run again.
    /// </summary>
    [MemberNotNull(nameof(_sent))]
    private void SendingWrite(NpgsqlConnection connection)
    {
        Sending(null, null);
        _sent = new PositionedCommand(connection, WriteLease.Of(connection)!)
        {
            CommandText = _inner.CommandText, CommandType = _inner.CommandType,
        };
        if (_hasTimeout) _sent.CommandTimeout = _inner.CommandTimeout;
        foreach (NpgsqlParameter parameter in _inner.Parameters) _sent.Parameters.Add(parameter.Clone());
    }

    private async ValueTask<NpgsqlDataReader> WriteAsync(
        NpgsqlConnection connection, CommandBehavior behavior, IoMode io, CancellationToken cancellationToken)
    {
        _inner.Connection = connection;
        Sending(_inner, null);
        var reader = await _inner.ExecuteReaderAsync(io, behavior & ~CommandBehavior.CloseConnection, cancellationToken)
            .ConfigureAwait(false);
        return ClosingItsConnection(reader, connection);
    }

    // A connection that breaks under CommandBehavior.CloseConnection reports that it was closed. That would hide from its lease that a
    // write is in doubt.
    private static NpgsqlDataReader ClosingItsConnection(NpgsqlDataReader reader, NpgsqlConnection connection)
    {
        reader.ReaderClosed += (_, _) => connection.Close();
        return reader;
    }

    private static InvalidOperationException OwnConnection() => new(
        "A routed command gets its connection when it runs. To choose the connection, open it with OpenReadConnection or "
            + "OpenWriteConnection, and create the command on it.");

    /// <summary>One read of the command. Each attempt has its own connection, which the reader closes.</summary>
    private sealed class Operation(TidemarkCommand command, CommandBehavior behavior) : IReadOperation<DbDataReader>
    {
        private readonly ClusterConnections _cluster = command.Source.Cluster;
        private readonly ConsistencySession? _session = command.Source.CurrentSession;
        private NpgsqlConnection? _connection;
        private ReadLease? _lease;
        private RouteDecision _decision;
        private bool _isWrite;

        public bool RunsCallersCommand => true;

        public bool MayHaveWritten => _lease?.MayHaveWritten == true;

        public async ValueTask<ConnectionCheck> OpenAsync(RouteDecision decision, bool isWrite, IoMode io,
            CancellationToken cancellationToken)
        {
            (_decision, _isWrite) = (decision, isWrite);
            _connection = _cluster.Create(decision, isWrite, _session, out _lease);
            await _connection.OpenAsync(io, cancellationToken).ConfigureAwait(false);
            return _lease is null ? ConnectionCheck.None : _cluster.CheckOf(_lease, decision);
        }

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        public async ValueTask<DbDataReader?> SendAsync(ReadProof? proof, IoMode io, CancellationToken cancellationToken)
        {
            var connection = _connection!;
            if (_isWrite) return await command.WriteAsync(connection, behavior, io, cancellationToken).ConfigureAwait(false);

            var start = command.Source.SlowReads.Start();
            try
            {
                return await ReadAsync(connection, proof, io, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                command.Source.SlowReads.End(start, _decision, command.CommandText);
            }
        }

        public void Deliver() => _lease?.Deliver();

        public ValueTask CloseAsync(IoMode io) => _connection!.DisposeAsync(io);

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        private async ValueTask<DbDataReader?> ReadAsync(NpgsqlConnection connection, ReadProof? proof, IoMode io,
            CancellationToken cancellationToken)
        {
            var inner = command._inner;
            _lease!.Sending(connection, proof);

            // A statement that may have written is in doubt if its connection breaks. CloseConnection would hide that.
            var hidesBreak = !_lease.MayHaveWritten;
            var closing = hidesBreak ? behavior | CommandBehavior.CloseConnection : behavior & ~CommandBehavior.CloseConnection;
            NpgsqlDataReader? reader;
            if (proof is not null)
            {
                var batch = ReadCheck.Combine(connection, inner, proof, closing, io);
                command.Sending(inner, batch);
                reader = await ReadCheck.ExecuteAsync(connection, inner, batch, proof, closing, io, cancellationToken)
                    .ConfigureAwait(false);
            }
            else
            {
                inner.Connection = connection;
                command.Sending(inner, null);
                reader = await inner.ExecuteReaderAsync(io, closing, cancellationToken).ConfigureAwait(false);
            }

            return reader is null || hidesBreak ? reader : ClosingItsConnection(reader, connection);
        }
    }
}
