using Npgsql;

namespace Tidemark;

/// <summary>Databases with settings of their own: nodes are still detected, and a read goes to a node where it can run.</summary>
public sealed class ForeignSettingsTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private static int _databases;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("default_transaction_isolation = 'serializable'", false)]
    [InlineData("default_transaction_isolation = 'repeatable read'", true)]
    [InlineData("default_transaction_deferrable = on", true)]
    [InlineData("default_transaction_read_only = on", true)]
    [InlineData("lock_timeout = '1ms'", true)]
    [InlineData("statement_timeout = '200ms'", true)]
    [InlineData("idle_in_transaction_session_timeout = '1ms'", true)]
    [InlineData("\"DateStyle\" = 'German, DMY'", true)]
    [InlineData("client_encoding = 'LATIN1'", true)]
    [InlineData("search_path = public, pg_catalog", true)]
    public async Task Settings_of_the_database_make_no_node_unreachable(string setting, bool canReadOnReplica)
    {
        await using var source =
            await ConnectAsync(database => shared.Cluster.Primary.RunAsync($"ALTER DATABASE {database} SET {setting}"));

        source.Nodes.ShouldAllBe(n => n.IsServing);
        await using var command = source.CreateReadCommand("SELECT current_setting('port')::int");
        var port = (int)(await command.ExecuteScalarAsync(Stop))!;
        if (canReadOnReplica) port.ShouldNotBe(shared.Cluster.Primary.Port);
        else port.ShouldBe(shared.Cluster.Primary.Port, "PostgreSQL does not support serializable transactions on replicas");
    }

    [Fact]
    public async Task A_connection_string_with_serializable_makes_no_node_unreachable()
    {
        await using var source = await ConnectAsync(_ => Task.CompletedTask, "-c default_transaction_isolation=serializable");

        source.Nodes.ShouldAllBe(n => n.IsServing);
        await using var command = source.CreateReadCommand("SELECT current_setting('port')::int");
        (await command.ExecuteScalarAsync(Stop)).ShouldBe(shared.Cluster.Primary.Port);
    }

    [Fact]
    public async Task A_user_defined_function_does_not_hide_one_that_a_probe_calls()
    {
        await using var source = await ConnectAsync(async database =>
        {
            await RunAsync(database, "CREATE FUNCTION public.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT false'");
            await RunAsync(database, $"ALTER DATABASE {database} SET search_path = public, pg_catalog");
        });

        source.Nodes.ShouldAllBe(n => n.IsServing);
        source.Nodes.Count(n => n.Role == NodeRole.Primary).ShouldBe(1);
    }

    /// <summary>idle_session_timeout ends pooled connections one after another. No read fails because of it.</summary>
    [Fact]
    public async Task Connections_that_were_idle_for_too_long_fail_no_read()
    {
        await using var source =
            await ConnectAsync(database => shared.Cluster.Primary.RunAsync($"ALTER DATABASE {database} SET idle_session_timeout = '50ms'"));
        for (var i = 0; i < 10; i++)
        {
            await using var command = source.CreateReadCommand("SELECT current_setting('port')::int");
            (await command.ExecuteScalarAsync(Stop)).ShouldBeOfType<int>();

            // The server measures the time, so the test has to wait in real time.
            await Task.Delay(120, Stop);
        }

        source.Nodes.ShouldAllBe(n => n.IsServing);
    }

    private async Task<TidemarkDataSource> ConnectAsync(Func<string, Task> configure, string? options = null)
    {
        var database = $"foreign_{Interlocked.Increment(ref _databases)}";
        await shared.Cluster.Primary.RunAsync($"CREATE DATABASE {database}");
        await configure(database);
        await shared.Cluster.WaitForReplayAsync(Stop);
        var builder = new TidemarkDataSourceBuilder();
        foreach (var node in shared.Cluster.Nodes)
            builder.AddNode(node.Name,
                new NpgsqlConnectionStringBuilder(node.ConnectionString) { Database = database, Options = options }.ConnectionString);
        var source = builder.Build();
        await source.Cluster.Monitor.FirstRoundAsync(Stop);
        return source;
    }

    private async Task RunAsync(string database, string sql)
    {
        await using var connection =
            new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(shared.Cluster.Primary.ConnectionString) { Database = database }.ConnectionString);
        await connection.OpenAsync(Stop);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Stop);
    }
}
