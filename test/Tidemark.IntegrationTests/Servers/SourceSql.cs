using System.Diagnostics;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>SQL through a data source, as an application sends it, and ways to stop a replica's stream.</summary>
internal static class SourceSql
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static async Task WriteAsync(this TidemarkDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Stop);
    }

    /// <summary>Returns the value of an expression, and the port of the server that answered.</summary>
    public static async Task<(T? Value, int Port)> ReadAsync<T>(this TidemarkDataSource source, string expression,
        Consistency? consistency = null)
    {
        await using var command = source.CreateReadCommand($"SELECT ({expression}), inet_server_port()", consistency);
        await using var reader = await command.ExecuteReaderAsync(Stop);
        (await reader.ReadAsync(Stop)).ShouldBeTrue();
        return (await reader.IsDBNullAsync(0, Stop) ? default : await reader.GetFieldValueAsync<T>(0, Stop), reader.GetInt32(1));
    }

    /// <summary>Queries until the answer meets the condition. The test's own time-out ends the wait.</summary>
    public static async Task UntilAsync<T>(this LocalNode node, string sql, Func<T, bool> isSo)
    {
        while (!isSo(await node.QueryAsync<T>(sql))) await Task.Yield();
    }

    /// <summary>Reads until a node other than the primary answers, and returns how long that took.</summary>
    public static async Task<TimeSpan> UntilReadOnReplicaAsync(this TidemarkDataSource source, LocalCluster cluster)
    {
        var watch = Stopwatch.StartNew();
        while ((await source.ReadAsync<int>("1")).Port == cluster.Primary.Port) await Task.Yield();
        return watch.Elapsed;
    }

    /// <summary>
    /// Stops the replica's stream. The replica receives nothing more and cannot detect that there is more: it reports that it has replayed
    /// all it has received.
    /// </summary>
    public static async Task StopReceivingAsync(this LocalNode replica)
    {
        await replica.RunAsync("ALTER SYSTEM SET primary_conninfo = ''");
        await replica.RunAsync("SELECT pg_reload_conf()");
        await replica.UntilAsync<long>("SELECT count(*) FROM pg_stat_wal_receiver", receivers => receivers == 0);
    }

    /// <summary>Ends <see cref="StopReceivingAsync"/>.</summary>
    public static async Task ReceiveAgainAsync(this LocalNode replica)
    {
        await replica.RunAsync("ALTER SYSTEM RESET primary_conninfo");
        await replica.RunAsync("SELECT pg_reload_conf()");
    }

    /// <summary>Creates a row that every node has, and returns its id.</summary>
    public static async Task<int> MakeItemAsync(this LocalCluster cluster, string name)
    {
        var id = await cluster.Primary.QueryAsync<int>($"INSERT INTO items (name) VALUES ('{name}') RETURNING id");
        await cluster.WaitForReplayAsync(Stop);
        return id;
    }

    /// <summary>Returns a data source for the same nodes, with additional connection string keywords.</summary>
    public static void AddToConnectionStrings(this TidemarkDataSourceBuilder builder, string keywords)
    {
        foreach (var node in builder.Options.Nodes.Values) node.ConnectionString += ";" + keywords;
    }
}
