using System.Data;
using System.Data.Common;
using Npgsql;

namespace Tidemark;

/// <summary>
/// The calls to Npgsql, blocking or asynchronous by an argument. A method that uses only these, and passes its own <see cref="IoMode"/> on,
/// is complete when it returns to a blocking caller, who ends it with <see cref="Result{T}"/>.
/// </summary>
internal static class Io
{
    public static ValueTask OpenAsync(this NpgsqlConnection connection, IoMode io, CancellationToken cancellationToken)
    {
        if (io == IoMode.Async) return new ValueTask(connection.OpenAsync(cancellationToken));
        connection.Open();
        return default;
    }

    public static ValueTask<NpgsqlTransaction> BeginTransactionAsync(
        this NpgsqlConnection connection, IoMode io, IsolationLevel isolation, CancellationToken cancellationToken) =>
        io == IoMode.Async ? connection.BeginTransactionAsync(isolation, cancellationToken) : new(connection.BeginTransaction(isolation));

    public static ValueTask RollbackAsync(this NpgsqlTransaction transaction, IoMode io, CancellationToken cancellationToken)
    {
        if (io == IoMode.Async) return new ValueTask(transaction.RollbackAsync(cancellationToken));
        transaction.Rollback();
        return default;
    }

    public static ValueTask<NpgsqlDataReader> ExecuteReaderAsync(
        this NpgsqlCommand command, IoMode io, CommandBehavior behavior, CancellationToken cancellationToken) => io == IoMode.Async
            ? new ValueTask<NpgsqlDataReader>(command.ExecuteReaderAsync(behavior, cancellationToken))
            : new ValueTask<NpgsqlDataReader>(command.ExecuteReader(behavior));

    public static ValueTask<int> ExecuteNonQueryAsync(this NpgsqlCommand command, IoMode io, CancellationToken cancellationToken) =>
        io == IoMode.Async ? new ValueTask<int>(command.ExecuteNonQueryAsync(cancellationToken)) : new(command.ExecuteNonQuery());

    public static ValueTask<object?> ExecuteScalarAsync(this NpgsqlCommand command, IoMode io, CancellationToken cancellationToken) =>
        io == IoMode.Async ? new ValueTask<object?>(command.ExecuteScalarAsync(cancellationToken)) : new(command.ExecuteScalar());

    public static ValueTask<NpgsqlDataReader> ExecuteReaderAsync(
        this NpgsqlBatch batch, IoMode io, CommandBehavior behavior, CancellationToken cancellationToken) => io == IoMode.Async
            ? new ValueTask<NpgsqlDataReader>(batch.ExecuteReaderAsync(behavior, cancellationToken))
            : new ValueTask<NpgsqlDataReader>(batch.ExecuteReader(behavior));

    public static ValueTask<int> ExecuteNonQueryAsync(this NpgsqlBatch batch, IoMode io, CancellationToken cancellationToken) =>
        io == IoMode.Async ? new ValueTask<int>(batch.ExecuteNonQueryAsync(cancellationToken)) : new(batch.ExecuteNonQuery());

    public static ValueTask<object?> ExecuteScalarAsync(this NpgsqlBatch batch, IoMode io, CancellationToken cancellationToken) =>
        io == IoMode.Async ? new ValueTask<object?>(batch.ExecuteScalarAsync(cancellationToken)) : new(batch.ExecuteScalar());

    public static ValueTask<bool> ReadAsync(this DbDataReader reader, IoMode io, CancellationToken cancellationToken) =>
        io == IoMode.Async ? new ValueTask<bool>(reader.ReadAsync(cancellationToken)) : new(reader.Read());

    public static ValueTask<bool> NextResultAsync(this DbDataReader reader, IoMode io, CancellationToken cancellationToken) =>
        io == IoMode.Async ? new ValueTask<bool>(reader.NextResultAsync(cancellationToken)) : new(reader.NextResult());

    public static ValueTask DisposeAsync<T>(this T resource, IoMode io)
        where T : IDisposable, IAsyncDisposable
    {
        if (io == IoMode.Async) return resource.DisposeAsync();
        resource.Dispose();
        return default;
    }

    /// <summary>Returns the result of a body that ran with <see cref="IoMode.Blocking"/>, or throws what it threw.</summary>
    public static T Result<T>(ValueTask<T> blocking)
    {
#pragma warning disable CA2012, RS0030 // The task is complete: nothing is waited for here.
        return blocking.GetAwaiter().GetResult();
#pragma warning restore CA2012, RS0030
    }

    /// <inheritdoc cref="Result{T}"/>
    public static void End(ValueTask blocking)
    {
#pragma warning disable CA2012, RS0030 // The task is complete: nothing is waited for here.
        blocking.GetAwaiter().GetResult();
#pragma warning restore CA2012, RS0030
    }
}
