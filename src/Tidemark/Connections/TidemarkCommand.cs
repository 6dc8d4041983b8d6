using System.Data;
using System.Data.Common;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A command without a connection: each execution is routed anew, checked where it must be, and repeated on another node when its node fails
/// before the first row. Commands for writing run on the primary, once.
/// </summary>
internal sealed class TidemarkCommand(TidemarkDataSource source, Consistency? consistency, bool isWrite) : DbCommand
{
    private readonly NpgsqlCommand _inner = new();

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
        "A routed command may run on another node each time, so it cannot be prepared. Set 'Max Auto Prepare' in the connection strings instead.");

    public override int ExecuteNonQuery()
    {
        if (isWrite)
        {
            using var connection = source.OpenWriteConnection();
            using var command = ForWriting(connection);
            return command.ExecuteNonQuery();
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
                return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
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
            return command.ExecuteScalar();
        }

        using var reader = ExecuteReader(CommandBehavior.Default);
        return reader.Read() && reader.FieldCount > 0 ? reader.GetValue(0) : null;
    }

    public override async Task<object?> ExecuteScalarAsync(CancellationToken cancellationToken)
    {
        if (isWrite)
        {
            var connection = await source.OpenWriteConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                using var command = ForWriting(connection);
                return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        var reader = await ExecuteDbDataReaderAsync(CommandBehavior.Default, cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
            return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) && reader.FieldCount > 0 ? reader.GetValue(0) : null;
    }

    protected override DbParameter CreateDbParameter() => _inner.CreateParameter();

    protected override DbDataReader ExecuteDbDataReader(CommandBehavior behavior)
    {
        if (isWrite)
        {
            return WriteOrClose(source.OpenWriteConnection(), behavior);
        }

        var attempts = source.BeginRead(consistency, out var session) with { Text = CommandText };
        while (true)
        {
            source.Horizons.Resolve(attempts, session);
            var decision = attempts.Next();
            using var activity = RouteActivity.Start(decision);
            var connection = source.Cluster.Create(decision, attempts.IsWrite, session, out var lease);
            var isOpen = false;
            try
            {
                connection.Open();
                isOpen = true;
                var check = source.Cluster.CheckOf(connection, decision);
                var reader = attempts.IsWrite ? Write(connection, behavior)
                    : check == ConnectionCheck.TooYoung ? null : Send(connection, decision, check, behavior | CommandBehavior.CloseConnection);
                if (reader is not null)
                {
                    lease?.Deliver();
                    return reader;
                }

                attempts.GiveUp(check, activity);
                connection.Dispose();
            }
            catch (Exception failure)
            {
                RouteActivity.Fail(activity, failure);
                var isAbsorbed = attempts.Absorb(failure, isOpen);
                if (!isAbsorbed) lease?.Deliver();
                connection.Dispose();
                if (attempts.Refusal is not null) throw attempts.Refusal;
                if (!isAbsorbed) throw;
            }
        }
    }

    protected override async Task<DbDataReader> ExecuteDbDataReaderAsync(CommandBehavior behavior, CancellationToken cancellationToken)
    {
        if (isWrite)
        {
            var primary = await source.OpenWriteConnectionAsync(cancellationToken).ConfigureAwait(false);
            return await WriteOrCloseAsync(primary, behavior, cancellationToken).ConfigureAwait(false);
        }

        var (attempts, session) = await source.BeginReadAsync(consistency, cancellationToken).ConfigureAwait(false);
        attempts = attempts with { Text = CommandText };
        while (true)
        {
            await source.Horizons.ResolveAsync(attempts, session, cancellationToken).ConfigureAwait(false);
            var decision = attempts.Next();
            if (attempts.WaitsFor is { } place)
            {
                attempts.Waited(await source.Horizons.WaitAsync(place, attempts.OnNode, cancellationToken).ConfigureAwait(false));
                continue;
            }

            using var activity = RouteActivity.Start(decision);
            var connection = source.Cluster.Create(decision, attempts.IsWrite, session, out var lease);
            var isOpen = false;
            try
            {
                await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
                isOpen = true;
                var check = source.Cluster.CheckOf(connection, decision);
                var reader = attempts.IsWrite ? await WriteAsync(connection, behavior, cancellationToken).ConfigureAwait(false)
                    : check == ConnectionCheck.TooYoung ? null
                    : await SendAsync(connection, decision, check, behavior | CommandBehavior.CloseConnection, cancellationToken).ConfigureAwait(false);
                if (reader is not null)
                {
                    lease?.Deliver();
                    return reader;
                }

                attempts.GiveUp(check, activity);
                await connection.DisposeAsync().ConfigureAwait(false);
            }
            catch (Exception failure)
            {
                RouteActivity.Fail(activity, failure);
                var isAbsorbed = attempts.Absorb(failure, isOpen);
                if (!isAbsorbed) lease?.Deliver();
                await connection.DisposeAsync().ConfigureAwait(false);
                if (attempts.Refusal is not null) throw attempts.Refusal;
                if (!isAbsorbed) throw;
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _inner.Dispose();
        base.Dispose(disposing);
    }

    private NpgsqlDataReader? Send(NpgsqlConnection connection, in RouteDecision decision, ConnectionCheck check, CommandBehavior behavior)
    {
        var start = source.SlowReads.Start();
        try
        {
            if (check == ConnectionCheck.Position) return ReadCheck.Execute(connection, _inner, decision.MustShow!.Value, behavior);
            _inner.Connection = connection;
            return _inner.ExecuteReader(behavior);
        }
        finally
        {
            source.SlowReads.End(start, decision, CommandText);
        }
    }

    private async ValueTask<NpgsqlDataReader?> SendAsync(
        NpgsqlConnection connection, RouteDecision decision, ConnectionCheck check, CommandBehavior behavior, CancellationToken cancellationToken)
    {
        var start = source.SlowReads.Start();
        try
        {
            if (check == ConnectionCheck.Position)
                return await ReadCheck.ExecuteAsync(connection, _inner, decision.MustShow!.Value, behavior, cancellationToken).ConfigureAwait(false);
            _inner.Connection = connection;
            return await _inner.ExecuteReaderAsync(behavior, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            source.SlowReads.End(start, decision, CommandText);
        }
    }

    /// <summary>The statement with its position behind it, where it can ride; a copy, so that this command may run again.</summary>
    private NpgsqlCommand ForWriting(NpgsqlConnection connection)
    {
        var copy = _inner.Clone();
        copy.Connection = connection;
        return BatchText.CanRide(copy) ? new PositionedCommand(copy, connection, WriteLease.Of(connection)!) : copy;
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

    private async Task<NpgsqlDataReader> WriteOrCloseAsync(NpgsqlConnection connection, CommandBehavior behavior, CancellationToken cancellationToken)
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

    private async Task<NpgsqlDataReader> WriteAsync(NpgsqlConnection connection, CommandBehavior behavior, CancellationToken cancellationToken)
    {
        _inner.Connection = connection;
        var reader = await _inner.ExecuteReaderAsync(behavior & ~CommandBehavior.CloseConnection, cancellationToken).ConfigureAwait(false);
        return ClosingItsConnection(reader, connection);
    }

    // A connection that breaks under CommandBehavior.CloseConnection says that it was closed. That would hide from its lease that a write is in doubt.
    private static NpgsqlDataReader ClosingItsConnection(NpgsqlDataReader reader, NpgsqlConnection connection)
    {
        reader.ReaderClosed += (_, _) => connection.Close();
        return reader;
    }

    private static InvalidOperationException OwnConnection() => new(
        "A routed command finds its connection when it runs. To choose one, open it with OpenReadConnection or OpenWriteConnection and create the command there.");
}
