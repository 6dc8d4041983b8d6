using Npgsql;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>SQL on one node, each statement on a connection of its own.</summary>
internal static class LocalClusterSql
{
    private static int _tables;

    public static async Task<T> QueryAsync<T>(this LocalNode node, string sql)
    {
        await using var connection = new NpgsqlConnection(node.ConnectionString + ";Pooling=false");
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
    }

    public static Task RunAsync(this LocalNode node, string sql) => node.QueryAsync<object?>(sql);

    /// <summary>Creates a table with a unique name and one column: id.</summary>
    public static async Task<string> MakeTableAsync(this LocalNode node)
    {
        var name = $"rows_{Interlocked.Increment(ref _tables)}";
        await node.RunAsync($"CREATE TABLE {name} (id int)");
        return name;
    }

    public static Task<long> CountAsync(this LocalNode node, string table) => node.QueryAsync<long>($"SELECT count(*) FROM {table}");
}
