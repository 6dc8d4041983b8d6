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

    private TidemarkDataSource Source => source;

    [AllowNull]
    public override string CommandText { get => _inner.CommandText; set => _inner.CommandText = value; }

    public override int CommandTimeout { get => _inner.CommandTimeout; set => _inner.CommandTimeout = value; }

    public override CommandType CommandType { get => _inner.CommandType; set => _inner.CommandType = value; }

    public override bool DesignTimeVisible { get => false; set { } }

    public override UpdateRowSource UpdatedRowSource { get => _inner.UpdatedRowSource; set => _inner.UpdatedRowSource = value; }

    protected override DbParameterCollection DbParameterCollection => _inner.Parameters;

    protected override DbConnection? DbConnection { get => null; set => throw OwnConnection(); }

    protected override DbTransaction? DbTransaction { get => null; set => throw OwnConnection(); }

    public override void Cancel() => _inner.Cancel();

    public override void Prepare() => throw new NotSupportedException(
        "A routed command can run on a different node each time, so it cannot be prepared. Set 'Max Auto Prepare' in the connection "
            + "strings instead.");

    public override int ExecuteNonQuery()
    {
        if (isWrite)
        {
            using var connection = source.OpenWriteConnection();
            using var command = ForWriting(connection);
            var result = command.ExecuteNonQuery();
            BatchText.TakeOutput(command, _inner);
            return result;
        }

        using var reader = ExecuteReader(CommandBehavior.Default);
        while (reader.NextResult())
        {
        }

        return reader.RecordsAffected;
    }

    public override async Task<int> ExecuteNonQueryAsync(CancellationToken cancellationToken)
    {
        if (isWrite)
        {
            var connection = await source.OpenWriteConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                using var command = ForWriting(connection);
                var result = await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
                BatchText.TakeOutput(command, _inner);
                return result;
            }
        }

        var reader = await ExecuteDbDataReaderAsync(CommandBehavior.Default, cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            while (await reader.NextResultAsync(cancellationToken).ConfigureAwait(false))
            {
            }

            return reader.RecordsAffected;
        }
    }

    public override object? ExecuteScalar()
    {
        if (isWrite)
        {
            using var connection = source.OpenWriteConnection();
            using var command = ForWriting(connection);
            var result = command.ExecuteScalar();
            BatchText.TakeOutput(command, _inner);
            return result;
        }

        var reader = ExecuteReader(CommandBehavior.Default);
        try
        {
            var value = reader.Read() && reader.FieldCount > 0 ? reader.GetValue(0) : null;
            EndAfterValue(reader);
            return value;
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    public override async Task<object?> ExecuteScalarAsync(CancellationToken cancellationToken)
    {
        if (isWrite)
        {
            var connection = await source.OpenWriteConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                using var command = ForWriting(connection);
                var result = await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
                BatchText.TakeOutput(command, _inner);
                return result;
            }
        }

        var reader = await ExecuteDbDataReaderAsync(CommandBehavior.Default, cancellationToken).ConfigureAwait(false);
        try
        {
            var value = await reader.ReadAsync(cancellationToken).ConfigureAwait(false) && reader.FieldCount > 0
                ? reader.GetValue(0) : null;
            await EndAfterValueAsync(reader).ConfigureAwait(false);
            return value;
        }
        catch
        {
            await reader.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Closes a reader after its single value has been read. A server that shuts down sends the rows that it has without the end of the
    /// response. The value is valid nevertheless.
    /// </summary>
    private static void EndAfterValue(DbDataReader reader)
    {
        try
        {
            reader.Dispose();
        }
        catch (Exception e) when (IsNodeLost(e))
        {
            // The next read detects the failure.
        }
    }

    /// <inheritdoc cref="EndAfterValue"/>
    private static async ValueTask EndAfterValueAsync(DbDataReader reader)
    {
        try
        {
            await reader.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (IsNodeLost(e))
        {
            // The next read detects the failure.
        }
    }

    private static bool IsNodeLost(Exception failure) =>
        ReadFailures.Classify(failure, onReplica: true, isOpen: true) == ReadFailure.NodeLost;

    protected override DbParameter CreateDbParameter() => _inner.CreateParameter();

    protected override DbDataReader ExecuteDbDataReader(CommandBehavior behavior)
    {
        if (isWrite)
        {
            return WriteOrClose(source.OpenWriteConnection(), behavior);
        }

        return ReadLoop.Run(source.Watermarks, source.BeginRead(consistency) with { Text = CommandText }, new Operation(this, behavior));
    }

    protected override async Task<DbDataReader> ExecuteDbDataReaderAsync(CommandBehavior behavior, CancellationToken cancellationToken)
    {
        if (isWrite)
        {
            var primary = await source.OpenWriteConnectionAsync(cancellationToken).ConfigureAwait(false);
            return await WriteOrCloseAsync(primary, behavior, cancellationToken).ConfigureAwait(false);
        }

        var attempts = source.BeginRead(consistency) with { Text = CommandText };
        return await ReadLoop.RunAsync(source.Watermarks, attempts, new Operation(this, behavior), isAsync: true, cancellationToken)
            .ConfigureAwait(false);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _inner.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>
    /// Returns a copy of the statement, with the position query piggybacked if possible. It is a copy so that this command can run again.
    /// </summary>
    private NpgsqlCommand ForWriting(NpgsqlConnection connection)
    {
        var copy = _inner.Clone();
        copy.Connection = connection;
        return BatchText.CanPiggyback(copy) ? new PositionedCommand(copy, connection, WriteLease.Of(connection)!) : copy;
    }

    private NpgsqlDataReader WriteOrClose(NpgsqlConnection connection, CommandBehavior behavior)
    {
        try
        {
            return Write(connection, behavior);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private async Task<NpgsqlDataReader> WriteOrCloseAsync(NpgsqlConnection connection, CommandBehavior behavior,
        CancellationToken cancellationToken)
    {
        try
        {
            return await WriteAsync(connection, behavior, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private NpgsqlDataReader Write(NpgsqlConnection connection, CommandBehavior behavior)
    {
        _inner.Connection = connection;
        return ClosingItsConnection(_inner.ExecuteReader(behavior & ~CommandBehavior.CloseConnection), connection);
    }

    private async Task<NpgsqlDataReader> WriteAsync(NpgsqlConnection connection, CommandBehavior behavior,
        CancellationToken cancellationToken)
    {
        _inner.Connection = connection;
        var reader = await _inner.ExecuteReaderAsync(behavior & ~CommandBehavior.CloseConnection, cancellationToken).ConfigureAwait(false);
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

        public async ValueTask<ConnectionCheck> OpenAsync(RouteDecision decision, bool isWrite, bool isAsync,
            CancellationToken cancellationToken)
        {
            (_decision, _isWrite) = (decision, isWrite);
            _connection = _cluster.Create(decision, isWrite, _session, out _lease);
            if (isAsync) await _connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            else _connection.Open();
            return _lease is null ? ConnectionCheck.None : _cluster.CheckOf(_lease, decision);
        }

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        public async ValueTask<DbDataReader?> SendAsync(ReadProof? proof, bool isAsync, CancellationToken cancellationToken)
        {
            var connection = _connection!;
            if (_isWrite)
            {
                return isAsync
                    ? await command.WriteAsync(connection, behavior, cancellationToken).ConfigureAwait(false)
                    : command.Write(connection, behavior);
            }

            var start = command.Source.SlowReads.Start();
            try
            {
                return await ReadAsync(connection, proof, isAsync, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                command.Source.SlowReads.End(start, _decision, command.CommandText);
            }
        }

        public void Deliver() => _lease?.Deliver();

        public async ValueTask CloseAsync(bool isAsync)
        {
            if (isAsync) await _connection!.DisposeAsync().ConfigureAwait(false);
            else _connection!.Dispose();
        }

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        private async ValueTask<DbDataReader?> ReadAsync(NpgsqlConnection connection, ReadProof? proof, bool isAsync,
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
                reader = isAsync
                    ? await ReadCheck.ExecuteAsync(connection, inner, proof, closing, cancellationToken).ConfigureAwait(false)
                    : ReadCheck.Execute(connection, inner, proof, closing);
            }
            else
            {
                inner.Connection = connection;
                reader = isAsync
                    ? await inner.ExecuteReaderAsync(closing, cancellationToken).ConfigureAwait(false) : inner.ExecuteReader(closing);
            }
            return reader is null || hidesBreak ? reader : ClosingItsConnection(reader, connection);
        }
    }
}
