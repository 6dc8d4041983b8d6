using System.Diagnostics;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>SQL through a data source, as an application sends it, and what tests do to a replica's stream.</summary>
internal static class SourceSql
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static async Task WriteAsync(this TidemarkDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Stop);
    }

    /// <summary>The value of an expression, and the port of the server that answered.</summary>
    public static async Task<(T? Value, int Port)> ReadAsync<T>(this TidemarkDataSource source, string expression,
        Consistency? consistency = null)
    {
        await using var command = source.CreateReadCommand($"SELECT ({expression}), inet_server_port()", consistency);
        await using var reader = await command.ExecuteReaderAsync(Stop);
        (await reader.ReadAsync(Stop)).ShouldBeTrue();
        return (await reader.IsDBNullAsync(0, Stop) ? default : await reader.GetFieldValueAsync<T>(0, Stop), reader.GetInt32(1));
    }

    /// <summary>Asks until the answer is as described; the test's own time-out ends a wait in vain.</summary>
    public static async Task UntilAsync<T>(this LocalNode node, string sql, Func<T, bool> isSo)
    {
        while (!isSo(await node.AskAsync<T>(sql))) await Task.Yield();
    }

    /// <summary>Reads until a read is answered by another node than the primary, and says how long that took.</summary>
    public static async Task<TimeSpan> UntilReadOnReplicaAsync(this TidemarkDataSource source, LocalCluster cluster)
    {
        var watch = Stopwatch.StartNew();
        while ((await source.ReadAsync<int>("1")).Port == cluster.Primary.Port) await Task.Yield();
        return watch.Elapsed;
    }

    /// <summary>
    /// The replica receives nothing more, and does not know that there is more: it claims to have replayed all it has received.
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

    /// <summary>A row that every node has, and its id.</summary>
    public static async Task<int> MakeItemAsync(this LocalCluster cluster, string name)
    {
        var id = await cluster.Primary.AskAsync<int>($"INSERT INTO items (name) VALUES ('{name}') RETURNING id");
        await cluster.WaitForReplayAsync(Stop);
        return id;
    }

    /// <summary>The same nodes as the source's, reached with further keywords.</summary>
    public static void AddToConnectionStrings(this TidemarkDataSourceBuilder builder, string keywords)
    {
        foreach (var node in builder.Options.Nodes.Values) node.ConnectionString += ";" + keywords;
    }
}
