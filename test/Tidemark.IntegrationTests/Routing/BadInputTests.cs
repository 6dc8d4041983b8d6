using Dapper;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Npgsql;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>Errors for invalid settings and calls: what was asked, what stood in the way, and what to do.</summary>
public sealed class BadInputTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_node_of_another_cluster_serves_nothing_and_is_named_with_both_identifiers()
    {
        await using var other = await LocalCluster.StartAsync(replicas: 0, Stop);
        await using var source = await shared.ConnectAsync(b => b.AddNode("stranger", other.Primary.ConnectionString));

        var stranger = source.Nodes.Single(n => n.Name == "stranger");
        stranger.IsServing.ShouldBeFalse();
        stranger.Problem!.ShouldContain("belongs to another cluster: its system identifier is ");
        source.Explain(Consistency.Strong).Node.ShouldBe("pg-1");
        for (var i = 0; i < 20; i++) source.Explain(Consistency.Eventual).Node.ShouldNotBe("stranger");

        using (source.RequireNode("stranger"))
        {
            var error =
                await Should.ThrowAsync<RoutingException>(async () => await source.OpenReadConnectionAsync(cancellationToken: Stop));
            error.Message.ShouldContain("stranger");
            error.Message.ShouldContain("another cluster");
        }
    }

    [Fact]
    public async Task Two_primaries_of_two_clusters_get_no_write_until_one_is_removed()
    {
        await using var other = await LocalCluster.StartAsync(replicas: 0, Stop);
        await using var source = new TidemarkDataSourceBuilder()
            .AddNode("one", shared.Cluster.Primary.ConnectionString).AddNode("two", other.Primary.ConnectionString).Build();
        var error = await Should.ThrowAsync<RoutingException>(async () => await source.OpenWriteConnectionAsync(Stop));
        error.Message.ShouldContain("the nodes differ, so none of them is used");
    }

    [Fact]
    public async Task With_no_reachable_node_reads_and_writes_report_the_state_of_each_node()
    {
        await using var source = TidemarkDataSource.Create("Host=127.0.0.1:1,127.0.0.1:2;Username=u;Password=secret-7;Database=store");
        var read = await Should.ThrowAsync<RoutingException>(async () => await source.OpenReadConnectionAsync(cancellationToken: Stop));
        var write = Should.Throw<RoutingException>(() => source.OpenWriteConnection());
        foreach (var error in (RoutingException[])[read, write])
        {
            error.Message.ShouldContain("127.0.0.1:1  unreachable: Connection refused");
            error.Message.ShouldContain("127.0.0.1:2  unreachable: Connection refused");
            error.ToString().ShouldNotContain("secret-7");
        }
    }

    [Fact]
    public async Task A_replica_configured_as_the_only_node_is_not_a_primary()
    {
        await using var source = new TidemarkDataSourceBuilder().AddNode("main", shared.Cluster["pg-2"].ConnectionString).Build();
        var error = await Should.ThrowAsync<RoutingException>(async () => await source.OpenWriteConnectionAsync(Stop));
        error.Message.ShouldContain("main  is a replica");
        error.Message.ShouldContain("promote a replica");
        await using (await source.OpenReadConnectionAsync(cancellationToken: Stop)) { }
    }

    [Fact]
    public async Task A_write_aimed_at_a_named_replica_fails_with_the_node_and_the_remedy()
    {
        using (shared.Source.RequireNode("pg-2"))
        {
            await using var command = shared.Source.CreateReadCommand("INSERT INTO items (name) VALUES ('no')");
            foreach (var error in (RoutingException[])[
                await Should.ThrowAsync<RoutingException>(() => command.ExecuteNonQueryAsync(Stop)),
                Should.Throw<RoutingException>(() => command.ExecuteNonQuery())])
            {
                error.Message.ShouldContain("directed to 'pg-2' for reading, which is a replica and does not accept writes");
                error.Message.ShouldContain("Remove the node name");
                error.IsTransient.ShouldBeFalse();
            }
        }

        await using var connection = await shared.Source.OpenReadConnectionAsync(cancellationToken: Stop);
        (await Should.ThrowAsync<PostgresException>(() => connection.ExecuteAsync("INSERT INTO items (name) VALUES ('no')")))
            .SqlState.ShouldBe(PostgresErrorCodes.ReadOnlySqlTransaction);
    }

    [Fact]
    public async Task A_hidden_write_in_a_read_on_the_primary_is_refused_there_too_and_runs_once()
    {
        var before = await shared.Cluster.Primary.QueryAsync<long>("SELECT nextval('tickets')");
        using (shared.Source.Require(Consistency.Strong))
        {
            await using var command = shared.Source.CreateReadCommand("SELECT nextval('tickets')");
            (await command.ExecuteScalarAsync(Stop)).ShouldBe(before + 1);
        }
    }

    [Fact]
    public async Task A_node_that_does_not_exist_is_refused_with_the_names_of_those_that_do()
    {
        Should.Throw<ArgumentException>(() => shared.Source.RequireNode("pg-9"))
            .Message.ShouldContain("No node is named 'pg-9'. The nodes are pg-1, pg-2, pg-3.");
        await using var context = shared.CreateContext();
        (await Should.ThrowAsync<ArgumentException>(() => context.Items.OnNode("pg-9").AsNoTracking().ToListAsync(Stop)))
            .Message.ShouldContain("pg-1, pg-2, pg-3");
    }

    [Fact]
    public async Task A_wrong_password_is_reported_without_the_password()
    {
        await shared.Cluster.Primary.RunAsync("CREATE ROLE locked LOGIN PASSWORD 'right-1'; ");
        var hba = Path.Combine(shared.Cluster.Primary.DataDirectory, "pg_hba.conf");
        var rules = await File.ReadAllTextAsync(hba, Stop);
        await File.WriteAllTextAsync(hba, "host all locked 127.0.0.1/32 scram-sha-256\n" + rules, Stop);
        await shared.Cluster.Primary.QueryAsync<bool>("SELECT pg_reload_conf()");
        try
        {
            using var log = new RecordingLoggerFactory();
            var settings =
                new NpgsqlConnectionStringBuilder(shared.Cluster.Primary.ConnectionString) { Username = "locked", Password = "wrong-8" };
            var builder = new TidemarkDataSourceBuilder { LoggerFactory = log }.AddNode("pg-1", settings.ConnectionString);
            await using var source = builder.Build();

            var error =
                await Should.ThrowAsync<RoutingException>(async () => await source.OpenReadConnectionAsync(cancellationToken: Stop));
            error.Message.ShouldContain("28P01: password authentication failed for user \"locked\"");
            (error + log.Text + source.ConnectionString + string.Join(' ', source.Nodes)).ShouldNotContain("wrong-8");
        }
        finally
        {
            await File.WriteAllTextAsync(hba, rules, Stop);
            await shared.Cluster.Primary.QueryAsync<bool>("SELECT pg_reload_conf()");
        }
    }

    [Fact]
    public async Task Aurora_is_recognised_and_refused_by_name()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 0, Stop);
        await cluster.Primary.RunAsync("CREATE FUNCTION aurora_version() RETURNS text LANGUAGE sql AS $$ SELECT '15.4' $$");
        await using var source = TidemarkDataSource.Create(cluster.Primary.ConnectionString);
        var error = await Should.ThrowAsync<RoutingException>(async () => await source.OpenWriteConnectionAsync(Stop));
        error.Message.ShouldContain("is Amazon Aurora, whose readers share storage and replay no WAL");
    }

    [Fact]
    public async Task A_plain_application_role_suffices_and_its_missing_rights_are_logged_once()
    {
        await shared.Cluster.Primary.RunAsync("CREATE ROLE app LOGIN; GRANT SELECT, INSERT ON items TO app");
        await shared.Cluster.WaitForReplayAsync(Stop);
        using var log = new RecordingLoggerFactory();
        var builder = new TidemarkDataSourceBuilder { LoggerFactory = log };
        foreach (var node in shared.Cluster.Nodes)
            builder.AddNode(node.Name, new NpgsqlConnectionStringBuilder(node.ConnectionString) { Username = "app" }.ConnectionString);
        await using var source = builder.Build();

        using var session = source.BeginSession();
        await using (var write = source.CreateCommand("INSERT INTO items (name) VALUES ('by app')")) await write.ExecuteNonQueryAsync(Stop);
        await shared.Cluster.WaitForReplayAsync(Stop);

        // A busy machine may probe late, so the replicas get the time they need. The test only requires that one of them serves.
        var port = 0;
        while (port == 0 || port == shared.Cluster.Primary.Port)
        {
            await using var read = await source.OpenReadConnectionAsync(Consistency.ReadYourWrites, Stop);
            (await read.ExecuteScalarAsync<int>("SELECT count(*)::int FROM items WHERE name = 'by app'")).ShouldBe(1);
            port = await read.ExecuteScalarAsync<int>("SELECT inet_server_port()");
        }

        log.Text.Split('\n').Count(line => line.Contains("GRANT pg_read_all_stats", StringComparison.Ordinal)).ShouldBe(2);
    }

    [Fact]
    public async Task One_callback_configures_every_pool_of_every_node()
    {
        await shared.Cluster.Primary.RunAsync("CREATE TYPE mood AS ENUM ('calm', 'keen')");
        await shared.Cluster.WaitForReplayAsync(Stop);
        await using var source = await shared.ConnectAsync(b => b.ConfigureNodes(node => node.MapEnum<Mood>("mood")));
        foreach (var node in shared.Cluster.Nodes)
        {
            using (source.RequireNode(node.Name))
            {
                await using var command = source.CreateReadCommand("SELECT 'keen'::mood");
                await using var reader = await command.ExecuteReaderAsync(Stop);
                await reader.ReadAsync(Stop);
                reader.GetFieldValue<Mood>(0).ShouldBe(Mood.Keen);
            }
        }

        await using var write = source.CreateCommand("SELECT 'calm'::mood");
        await using var written = await write.ExecuteReaderAsync(Stop);
        await written.ReadAsync(Stop);
        written.GetFieldValue<Mood>(0).ShouldBe(Mood.Calm);
    }

    public enum Mood
    {
        Calm,
        Keen,
    }

    /// <summary>Keeps every message, as a log file would.</summary>
    private sealed class RecordingLoggerFactory : ILoggerFactory, ILogger
    {
        private readonly System.Collections.Concurrent.ConcurrentQueue<string> _lines = new();

        public string Text => string.Join('\n', _lines);

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) => this;

        public void Dispose()
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?,
            string> formatter) =>
            _lines.Enqueue(formatter(state, exception) + exception);
    }
}
