using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using NpgsqlTypes;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>What each position proves: the pitfalls of PostgreSQL's positions on real servers, and that Tidemark avoids them.</summary>
public sealed class PositionTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private const string Insert = "INSERT INTO items (name) VALUES ('positioned')";
    private const string Position = "SELECT pg_current_wal_insert_lsn()";
    private const int PageSize = 8192;
    private const int PageHeader = 24;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private LocalNode Primary => shared.Cluster.Primary;

    [Theory]
    [InlineData("inside the transaction")]
    [InlineData("behind one Sync")]
    [InlineData("several statements in one text")]
    [InlineData("a writing CTE")]
    public async Task A_position_read_before_the_commit_is_reached_by_a_replica_without_the_row(string how)
    {
        // The delay holds back the commit record and nothing before it, so the replica stops exactly at the start of the commit record.
        var replica = shared.Cluster["pg-2"];
        await shared.Cluster.WaitForReplayAsync(Stop);
        await using var delayed = await DelayedAsync(replica);
        await using var connection = await OpenAsync(Primary);
        var before = await replica.CountAsync("items");
        var lsn = how switch
        {
            "inside the transaction" => await InTransactionAsync(connection),
            "behind one Sync" => await InBatchAsync(connection, syncBetween: false),
            "several statements in one text" => await ScalarAsync(connection, $"{Insert}; {Position}"),
            _ => await ScalarAsync(connection,
                "WITH written AS (INSERT INTO items (name) VALUES ('positioned') RETURNING pg_current_wal_insert_lsn() AS at) SELECT at "
                + "FROM written"),
        };

        await replica.UntilAsync<NpgsqlLogSequenceNumber>("SELECT pg_last_wal_replay_lsn()", replayed => replayed >= lsn);
        (await replica.CountAsync("items")).ShouldBe(before);
        (await Primary.CountAsync("items")).ShouldBe(before + 1);
    }

    [Fact]
    public async Task A_position_read_after_a_Sync_is_reached_by_no_replica_without_the_row()
    {
        var replica = shared.Cluster["pg-2"];
        await shared.Cluster.WaitForReplayAsync(Stop);
        await using var delayed = await DelayedAsync(replica);
        await using var connection = await OpenAsync(Primary);
        var before = await replica.CountAsync("items");
        var lsn = await InBatchAsync(connection, syncBetween: true);
        var reached = await ScalarAsync(connection, "SELECT pg_current_wal_flush_lsn()");

        // The replica has received the commit, and its replay waits before it.
        await replica.UntilAsync<NpgsqlLogSequenceNumber>("SELECT pg_last_wal_receive_lsn()", received => received >= reached);
        (await replica.QueryAsync<NpgsqlLogSequenceNumber>("SELECT pg_last_wal_replay_lsn()")).ShouldBeLessThan(lsn);
        (await replica.CountAsync("items")).ShouldBe(before);

        await replica.DelayReplayAsync(TimeSpan.Zero, Stop);
        await replica.UntilAsync<NpgsqlLogSequenceNumber>("SELECT pg_last_wal_replay_lsn()", replayed => replayed >= lsn);
        (await replica.CountAsync("items")).ShouldBe(before + 1);
    }

    [Fact]
    public async Task A_replica_just_short_of_a_sessions_commit_does_not_serve_its_read()
    {
        await using var one = await DelayedAsync(shared.Cluster["pg-2"]);
        await using var other = await DelayedAsync(shared.Cluster["pg-3"]);
        using var session = shared.Source.BeginSession();
        await using var context = shared.CreateContext();
        context.AddRange(new Item { Name = "right before" }, new Item { Name = "right before" });
        await context.SaveChangesAsync(Stop);
        var position = session.Written.ShouldNotBeNull();

        // Both have everything up to the commit record, and the monitor has sampled that.
        foreach (var replica in shared.Cluster.Replicas)
            await replica.UntilAsync<NpgsqlLogSequenceNumber>("SELECT pg_last_wal_receive_lsn()", received => received >= position.Lsn);
        foreach (var index in (int[])[1, 2]) await shared.Source.Cluster.Monitor.SampleAsync(index, Stop);
        (await context.Items.AsNoTracking().CountAsync(i => i.Name == "right before", Stop)).ShouldBe(2);
        (await shared.Source.ReadAsync<long>("SELECT count(*) FROM items WHERE name = 'right before'")).Value.ShouldBe(2);
    }

    [Theory]
    [InlineData("written")]
    [InlineData("seen")]
    public async Task A_commit_at_a_page_end_is_soon_read_on_a_replica_of_an_idle_primary(string watermark)
    {
        using var session = shared.Source.BeginSession();
        var (position, took) = (0UL, TimeSpan.Zero);

        // The server sometimes writes records of its own (running transactions, every 15 s). The read then proves nothing and is retried.
        for (var tries = 0; tries == 0 || await InsertPositionAsync() != position; tries++)
        {
            tries.ShouldBeLessThan(20, "something else was written each time");
            position = await WriteToTheEndOfAPageAsync(watermark);
            if (watermark == "seen") await shared.Source.ReadAsync<int>("1", Consistency.Strong);
            took = await shared.Source.UntilReadOnReplicaAsync(shared.Cluster);
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"read on a replica after {took.TotalMilliseconds:0} ms");

        // No replica gets past the page header until the primary writes again, which an idle primary does every 15 s.
        took.ShouldBeLessThan(TimeSpan.FromSeconds(1));
    }

    [Theory]
    [InlineData("a command", "Session")]
    [InlineData("a command", "ReadYourWrites")]
    [InlineData("a connection", "ReadYourWrites")]
    [InlineData("EF, one statement", "ReadYourWrites")]
    [InlineData("EF, a transaction", "ReadYourWrites")]
    public async Task A_commit_that_did_not_wait_for_its_flush_is_read_back(string by, string level)
    {
        await using var source = await shared.ConnectAsync(b => b.AddToConnectionStrings("Options=-c synchronous_commit=off"));
        var unflushed = 0;
        for (var i = 0; i < 20; i++)
        {
            using var session = source.BeginSession();
            var name = $"asynchronous, {by}, {level} {i}";
            await WriteAsync(source, by, name);
            (await source.ReadAsync<long>($"SELECT count(*) FROM items WHERE name = '{name}'", Consistency.Parse(level)))
                .Value.ShouldBe(1, name);
            if (await Primary.QueryAsync<bool>("SELECT pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn()")) unflushed++;
        }

        // A commit that waits for its flush also flushes the others, which the row counts on replicas in later tests require.
        await Primary.RunAsync(Insert);
        unflushed.ShouldBeGreaterThan(0, "every commit was flushed before it was read");
    }

    [Fact]
    public async Task A_token_in_an_unflushed_tail_is_read_correctly_and_at_once()
    {
        // On an idle primary nothing flushes what an open transaction has written so far.
        await using var other = await OpenAsync(Primary);
        await using var transaction = await other.BeginTransactionAsync(Stop);
        await using (var command =
            new NpgsqlCommand("SET LOCAL synchronous_commit = off; " + Insert, other)) await command.ExecuteNonQueryAsync(Stop);

        CausalToken token;
        using (shared.Source.BeginSession())
        {
            await shared.Source.ReadAsync<int>("1", Consistency.Strong);
            token = await shared.Source.CaptureTokenAsync(Stop);
        }

        token.Observed.ShouldNotBeNull().Lsn.ShouldBeGreaterThan(await Primary.QueryAsync<NpgsqlLogSequenceNumber>("SELECT "
            + "pg_current_wal_flush_lsn()"));
        using var session = shared.Source.BeginSession(token);
        var watch = Stopwatch.StartNew();
        (await shared.Source.ReadAsync<int>("1")).Port.ShouldBe(Primary.Port);
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(1));

        await transaction.CommitAsync(Stop);
        await Primary.RunAsync(Insert);
        await shared.Source.UntilReadOnReplicaAsync(shared.Cluster);
    }

    [Theory]
    [InlineData("read committed")]
    [InlineData("repeatable read")]
    public async Task A_passed_check_proves_the_rows_under_every_default_isolation_level(string isolation)
    {
        // Here the check takes longer than the replicas lag, so the row arrives while the check runs. A read in the same snapshot as the
        // check would miss it.
        await Primary.RunAsync("""
            CREATE SCHEMA IF NOT EXISTS slow;
            CREATE OR REPLACE FUNCTION slow.pg_last_wal_replay_lsn() RETURNS pg_lsn LANGUAGE sql VOLATILE
                AS 'SELECT pg_catalog.pg_last_wal_replay_lsn() FROM (SELECT pg_sleep(0.1) OFFSET 0) AS slept'
            """);
        await shared.Cluster.WaitForReplayAsync(Stop);
        var options =
            $"-c default_transaction_isolation={isolation.Replace(" ", "\\ ", StringComparison.Ordinal)} -c search_path=slow,pg_catalog,public";
        await using var source = await shared.ConnectAsync(b => b.AddToConnectionStrings($"Options={options}"));
        foreach (var replica in shared.Cluster.Replicas) await replica.DelayReplayAsync(TimeSpan.FromMilliseconds(40), Stop);
        try
        {
            var onReplicas = 0;
            for (var i = 0; i < 10; i++)
            {
                using var session = source.BeginSession();
                var name = $"{isolation} {i}";
                await WriteAsync(source, "EF, a transaction", name);
                var (count, port) = await source.ReadAsync<long>($"SELECT count(*) FROM items WHERE name = '{name}'");
                count.ShouldBe(1, name);
                if (port != Primary.Port) onReplicas++;
            }

            onReplicas.ShouldBeGreaterThan(0, "no check ever passed");
        }
        finally
        {
            foreach (var replica in shared.Cluster.Replicas) await replica.DelayReplayAsync(TimeSpan.Zero, Stop);
        }
    }

    private async Task WriteAsync(string watermark, int padding)
    {
        var sql = $"WITH m AS (SELECT pg_logical_emit_message(true, 't', repeat('x', {padding}))) INSERT INTO items (name) SELECT "
            + "'page' FROM m";
        if (watermark == "written") await shared.Source.WriteAsync(sql);
        else await Primary.RunAsync(sql);
    }

    private async Task WriteAsync(TidemarkDataSource source, string by, string name)
    {
        await using var context = shared.CreateContext(source);
        switch (by)
        {
            case "a command":
                await source.WriteAsync($"INSERT INTO items (name) VALUES ('{name}')");
                break;
            case "a connection":
                await using (var connection = await source.OpenWriteConnectionAsync(Stop))
                await using (var command = new NpgsqlCommand($"INSERT INTO items (name) VALUES ('{name}')", connection))
                    await command.ExecuteNonQueryAsync(Stop);
                break;
            case "EF, a transaction":
                await using (var transaction = await context.Database.BeginTransactionAsync(Stop))
                {
                    context.Add(new Item { Name = name });
                    await context.SaveChangesAsync(Stop);
                    await transaction.CommitAsync(Stop);
                }

                break;
            default:
                context.Add(new Item { Name = name });
                await context.SaveChangesAsync(Stop);
                break;
        }
    }

    private async Task<ulong> WriteToTheEndOfAPageAsync(string watermark)
    {
        var (padding, position) = (0, 0UL);
        for (var tries = 0; position % PageSize != PageHeader; tries++)
        {
            tries.ShouldBeLessThan(500, "no commit ended with a page");
            var from = await InsertPositionAsync();
            await WriteAsync(watermark, padding);
            position = await InsertPositionAsync();

            // The loop measures the size of a commit without its padding. The next padding then fills the rest of the page.
            var size = (int)(position - from) - padding;
            var room = PageSize - (int)(position % PageSize);
            padding = Math.Max(0, room - size) / 8 * 8;
        }

        return position;
    }

    private async Task<ulong> InsertPositionAsync() => (ulong)await Primary.QueryAsync<NpgsqlLogSequenceNumber>(Position);

    private static async Task<NpgsqlLogSequenceNumber> InTransactionAsync(NpgsqlConnection connection)
    {
        await using var transaction = await connection.BeginTransactionAsync(Stop);
        await ScalarAsync(connection, $"{Insert} RETURNING pg_current_wal_insert_lsn()");
        var lsn = await ScalarAsync(connection, Position);
        await transaction.CommitAsync(Stop);
        return lsn;
    }

    private static async Task<NpgsqlLogSequenceNumber> InBatchAsync(NpgsqlConnection connection, bool syncBetween)
    {
        await using var batch = new NpgsqlBatch(connection) { EnableErrorBarriers = syncBetween };
        batch.BatchCommands.Add(new NpgsqlBatchCommand(Insert));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(Position));
        return (NpgsqlLogSequenceNumber)(await batch.ExecuteScalarAsync(Stop))!;
    }

    private static async Task<NpgsqlLogSequenceNumber> ScalarAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (NpgsqlLogSequenceNumber)(await command.ExecuteScalarAsync(Stop))!;
    }

    private static async Task<NpgsqlConnection> OpenAsync(LocalNode node)
    {
        var connection = new NpgsqlConnection(node.ConnectionString + ";Pooling=false");
        await connection.OpenAsync(Stop);
        return connection;
    }

    private static async Task<IAsyncDisposable> DelayedAsync(LocalNode replica)
    {
        await replica.DelayReplayAsync(TimeSpan.FromMinutes(1), Stop);
        return new Delayed(replica);
    }

    private sealed class Delayed(LocalNode replica) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await replica.DelayReplayAsync(TimeSpan.Zero, CancellationToken.None);
            await replica.WaitForReplayAsync(CancellationToken.None);
        }
    }
}
