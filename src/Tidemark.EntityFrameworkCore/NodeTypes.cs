using System.Collections.Concurrent;
using System.Data.Common;
using System.Runtime.CompilerServices;
using Npgsql;
using Npgsql.PostgresTypes;

namespace Tidemark;

/// <summary>
/// Notices that a node's pool does not know a type: it was made since the pool loaded its types, by a migration or by <c>EnsureCreated</c>. EF Core loads
/// them anew for its main connection alone.
/// </summary>
internal static class NodeTypes
{
    // A type that stays unknown, such as a table's row type, is looked for once and not in each read.
    private static readonly ConditionalWeakTable<TidemarkDataSource, ConcurrentDictionary<(int Node, uint Type), bool>> Sought = [];

    /// <summary>The rows have a column of a type that the pool does not know and has not looked for.</summary>
    public static bool AreMissing(DbDataReader rows, TidemarkDataSource source, int nodeIndex)
    {
        if (rows is not NpgsqlDataReader reader) return false;
        for (var i = 0; i < reader.FieldCount; i++)
        {
            if (reader.GetPostgresType(i) is UnknownBackendType && Sought.GetOrCreateValue(source).TryAdd((nodeIndex, reader.GetDataTypeOID(i)), true)) return true;
        }

        return false;
    }

    /// <summary>Npgsql itself refused a parameter, or a column that EF Core buffers, for its type.</summary>
    public static bool MayBeWhy(Exception failure) => failure is InvalidCastException or NotSupportedException;
}
