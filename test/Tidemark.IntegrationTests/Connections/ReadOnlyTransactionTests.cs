using System.Data;
using Dapper;
using Npgsql;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>One snapshot on a replica, on servers that lag, stop or cancel. Each test breaks a cluster of its own.</summary>
public sealed class ReadOnlyTransactionTests : IAsyncLifetime
{
    private const string Count = "SELECT count(*) FROM items";

    private readonly StoreCluster _store = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _store.InitializeAsync();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_report_reads_one_snapshot_on_a_replica_despite_concurrent_commits(bool isAsync)
    {
        await using var report = await BeginAsync(isAsync);
        var before = await report.Connection.ExecuteScalarAsync<long>(Count, transaction: report.Transaction);
        await _store.Cluster.Primary.RunAsync("INSERT INTO items (name) VALUES ('meanwhile')");
        await _store.Cluster.WaitForReplayAsync(Stop);

        (await report.Connection.ExecuteScalarAsync<long>(Count)).ShouldBe(before);
        report.Decision.Role.ShouldBe(NodeRole.Replica);
        _store.NodeAt(await report.Connection.ExecuteScalarAsync<int>("SELECT inet_server_port()")).ShouldBe(report.Decision.Node);
        (await report.Connection.ExecuteScalarAsync<string>("SHOW transaction_isolation")).ShouldBe("repeatable read");

        // The connection returns to the pool with no state left on it.
        await report.DisposeAsync();
        using var again = _store.Source.RequireNode(report.Decision.Node!);
        await using var connection = await _store.Source.OpenReadConnectionAsync(cancellationToken: Stop);
        (await connection.ExecuteScalarAsync<long>(Count)).ShouldBe(before + 1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_report_includes_its_sessions_writes_whether_replay_runs_or_is_paused(bool isAsync)
    {
        foreach (var paused in (string[])["pg-2", "pg-3"])
        {
            await _store.Cluster[paused].PauseReplayAsync(Stop);
            using var session = _store.Source.BeginSession();
            await using (var command =
                _store.Source.CreateCommand($"INSERT INTO items (name) VALUES ('{paused}')")) await command.ExecuteNonQueryAsync(Stop);

            await using var report = await BeginAsync(isAsync);
            (await report.Connection.ExecuteScalarAsync<long>($"{Count} WHERE name = '{paused}'")).ShouldBe(1);
            report.Decision.Node.ShouldNotBe(paused);
        }
    }

    [Fact]
    public async Task The_observations_of_a_report_bind_its_sessions_later_reads()
    {
        await _store.Cluster["pg-3"].PauseReplayAsync(Stop);
        await _store.Cluster.Primary.RunAsync("INSERT INTO items (name) VALUES ('shown')");
        await _store.Cluster["pg-2"].WaitForReplayAsync(Stop);
        for (var i = 0; i < 10; i++)
        {
            using var session = _store.Source.BeginSession();
            using (_store.Source.RequireNode("pg-2"))
            {
                await using var report = await BeginAsync(isAsync: i % 2 == 0);
                (await report.Connection.ExecuteScalarAsync<long>($"{Count} WHERE name = 'shown'")).ShouldBe(1);
            }

            await using var read = _store.Source.CreateReadCommand($"{Count} WHERE name = 'shown'");
            (await read.ExecuteScalarAsync(Stop)).ShouldBe(1L);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_report_skips_a_node_that_is_down_even_if_the_pool_has_connections_to_it(bool isAsync)
    {
        // With a slow monitor, BEGIN itself must detect it.
        await using var source = await _store.ConnectAsync(b => b.Options.ProbeInterval = TimeSpan.FromMinutes(1));
        foreach (var replica in _store.Cluster.Replicas)
        {
            using var there = source.RequireNode(replica.Name);
            await using (await source.OpenReadConnectionAsync(cancellationToken: Stop)) { }
        }

        await _store.Cluster["pg-2"].StopAsync(StopMode.Immediate, Stop);
        for (var i = 0; i < 10; i++)
        {
            await using var report = isAsync
                ? await source.BeginReadOnlyTransactionAsync(Consistency.Eventual, cancellationToken: Stop)
                : source.BeginReadOnlyTransaction(Consistency.Eventual);
            (await report.Connection.ExecuteScalarAsync<long>(Count)).ShouldBe(10);
            report.Decision.Node.ShouldBe("pg-3");
        }
    }

    [Fact]
    public async Task A_replay_conflict_in_a_report_reaches_the_caller_and_a_new_report_works()
    {
        foreach (var replica in _store.Cluster.Replicas)
        {
            await replica.RunAsync("ALTER SYSTEM SET max_standby_streaming_delay = '50ms'");
            await replica.RunAsync("SELECT pg_reload_conf()");
        }

        await using (var report = await BeginAsync(isAsync: true))
        {
            (await report.Connection.ExecuteScalarAsync<long>(Count)).ShouldBe(10);
            var slow = report.Connection.ExecuteAsync("SELECT pg_sleep(60)");
            await _store.Cluster.Primary.RunAsync("ALTER TABLE items ADD COLUMN price int");
            (await Should.ThrowAsync<PostgresException>(() => slow)).SqlState.ShouldBe(PostgresErrorCodes.SerializationFailure);
        }

        await using var next = await BeginAsync(isAsync: true);
        (await next.Connection.ExecuteScalarAsync<long>(Count)).ShouldBe(10);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_write_in_a_report_is_refused_also_on_the_primary_and_on_a_lone_node(bool isAlone)
    {
        await using var alone = new TidemarkDataSourceBuilder().AddNode("pg-1", _store.Cluster.Primary.ConnectionString).Build();
        var source = isAlone ? alone : _store.Source;
        foreach (var level in (Consistency[])[Consistency.Eventual, Consistency.Strong])
        {
            await using var report = await source.BeginReadOnlyTransactionAsync(level, cancellationToken: Stop);
            (await Should.ThrowAsync<PostgresException>(() => report.Connection.ExecuteAsync("INSERT INTO items (name) VALUES ('no')")))
                .SqlState.ShouldBe(PostgresErrorCodes.ReadOnlySqlTransaction);
        }

        // The pooled connection can write again afterwards.
        await using var write = await source.OpenWriteConnectionAsync(Stop);
        (await write.ExecuteAsync("INSERT INTO items (name) VALUES ('yes')")).ShouldBe(1);
    }

    [Fact]
    public async Task A_serializable_report_is_refused_before_anything_is_sent()
    {
        (await Should.ThrowAsync<ArgumentException>(async () =>
            await _store.Source.BeginReadOnlyTransactionAsync(isolation: IsolationLevel.Serializable, cancellationToken: Stop)))
            .Message.ShouldContain("RepeatableRead");
        Should.Throw<ArgumentException>(() => _store.Source.BeginReadOnlyTransaction(isolation: IsolationLevel.Serializable));
    }

    private async ValueTask<TidemarkReadOnlyTransaction> BeginAsync(bool isAsync) =>
        isAsync ? await _store.Source.BeginReadOnlyTransactionAsync(cancellationToken: Stop) : _store.Source.BeginReadOnlyTransaction();
}
