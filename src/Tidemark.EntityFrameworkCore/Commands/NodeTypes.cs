using System.Collections.Concurrent;
using System.Data.Common;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using Npgsql.PostgresTypes;

namespace Tidemark;

/// <summary>
/// Reads from a node whose pool may lack a type, because a migration or <c>EnsureCreated</c> created it after the pool loaded its types. EF
/// Core reloads types for its main connection only.
/// </summary>
internal static class NodeTypes
{
    // A type that stays unknown, such as a table's row type, is looked up once and not in each read.
    private static readonly ConditionalWeakTable<TidemarkDataSource, ConcurrentDictionary<(int Node, uint Type), bool>> Sought = [];

    /// <summary>
    /// Runs the query. If the node's pool lacks a type, reloads its types and runs the query again. Npgsql detects the missing type itself,
    /// so a surrounding transaction has not failed. Its snapshot contains the type if it contains a value of the type.
    /// </summary>
    /// <param name="command">The query.</param>
    /// <param name="parameters">Its parameters, and the open connection to the node.</param>
    /// <param name="source">The cluster.</param>
    /// <param name="nodeIndex">The node.</param>
    /// <param name="pending">What is about to be executed.</param>
    /// <param name="mayRetry">Whether a query that was sent may be sent again, because the connection is read-only.</param>
    /// <param name="io">How to wait.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<RelationalDataReader> ReadAsync(
        SentCommand command, RelationalCommandParameterObject parameters, TidemarkDataSource source, int nodeIndex,
        PendingExecution pending, bool mayRetry, IoMode io, CancellationToken cancellationToken)
    {
        try
        {
            var reader = await command.SendAsync(parameters, pending, io, cancellationToken).ConfigureAwait(false);
            if (!mayRetry || !AreMissing(reader.DbDataReader, source, nodeIndex)) return reader;
            await reader.DisposeAsync(io).ConfigureAwait(false);
        }
        catch (Exception failure) when (mayRetry && MayBeWhy(failure))
        {
        }

        var connection = (NpgsqlConnection)parameters.Connection.DbConnection;
        if (io == IoMode.Async) await connection.ReloadTypesAsync(cancellationToken).ConfigureAwait(false);
        else connection.ReloadTypes();
        return await command.SendAsync(parameters, pending, io, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Returns whether the rows have a column of a type that the pool lacks and has not looked up.</summary>
    private static bool AreMissing(DbDataReader rows, TidemarkDataSource source, int nodeIndex)
    {
        if (rows is not NpgsqlDataReader reader) return false;
        for (var i = 0; i < reader.FieldCount; i++)
        {
            if (reader.GetPostgresType(i) is UnknownBackendType
                && Sought.GetOrCreateValue(source).TryAdd((nodeIndex, reader.GetDataTypeOID(i)), true)) return true;
        }

        return false;
    }

    /// <summary>Returns whether Npgsql itself rejected a parameter, or a column that EF Core buffers, because of its type.</summary>
    private static bool MayBeWhy(Exception failure) => failure is InvalidCastException or NotSupportedException;
}
