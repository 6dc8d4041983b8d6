using System.Collections.Concurrent;
using System.Data.Common;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using Npgsql.PostgresTypes;

namespace Tidemark;

/// <summary>
/// Reads where a node's pool may not know a type: it was made since the pool loaded its types, by a migration or by <c>EnsureCreated</c>.
/// EF Core loads
/// them anew for its main connection alone.
/// </summary>
internal static class NodeTypes
{
    // A type that stays unknown, such as a table's row type, is looked for once and not in each read.
    private static readonly ConditionalWeakTable<TidemarkDataSource, ConcurrentDictionary<(int Node, uint Type), bool>> Sought = [];

    /// <summary>
    /// Runs the query; a second time, with the node's types loaded anew, where its pool lacks one. Npgsql finds that out by itself, so a
    /// transaction around it
    /// has not failed, and its snapshot shows the type if it shows a value of it.
    /// </summary>
    /// <param name="command">The query.</param>
    /// <param name="parameters">Its parameters, and the open connection to the node.</param>
    /// <param name="source">The cluster.</param>
    /// <param name="nodeIndex">The node.</param>
    /// <param name="proof">What the node must show in the same round trip; <see langword="null"/>: nothing.</param>
    /// <param name="mayRepeat">The connection is read-only: a query that was sent may be sent again.</param>
    /// <param name="isAsync">False: the returned task is complete.</param>
    /// <param name="cancellationToken">Gives up.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<RelationalDataReader> ReadAsync(
        RoutedCommand command, RelationalCommandParameterObject parameters, TidemarkDataSource source, int nodeIndex, ReadProof? proof,
            bool mayRepeat, bool isAsync,
        CancellationToken cancellationToken)
    {
        try
        {
            var reader = await command.SendAsync(parameters, proof, isAlone: false, isAsync, cancellationToken).ConfigureAwait(false);
            if (!mayRepeat || !AreMissing(reader.DbDataReader, source, nodeIndex)) return reader;
            if (isAsync) await reader.DisposeAsync().ConfigureAwait(false);
            else reader.Dispose();
        }
        catch (Exception failure) when (mayRepeat && MayBeWhy(failure))
        {
        }

        var connection = (NpgsqlConnection)parameters.Connection.DbConnection;
        if (isAsync) await connection.ReloadTypesAsync(cancellationToken).ConfigureAwait(false);
        else connection.ReloadTypes();
        return await command.SendAsync(parameters, proof, isAlone: false, isAsync, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The rows have a column of a type that the pool does not know and has not looked for.</summary>
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

    /// <summary>Npgsql itself refused a parameter, or a column that EF Core buffers, for its type.</summary>
    private static bool MayBeWhy(Exception failure) => failure is InvalidCastException or NotSupportedException;
}
