using System.Transactions;
using Dapper;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>Reads that include what other sessions wrote under a key, on servers whose replay is paused.</summary>
public sealed class FreshnessTests(StoreCluster shared) : IClassFixture<StoreCluster>, IAsyncDisposable
{
    private static int _tables;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>Resumes replay on every replica, so that the next test finds all of them replaying, however this one ended.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var node in shared.Cluster.Replicas) await node.ResumeReplayAsync(CancellationToken.None);
        await shared.Cluster.WaitForReplayAsync(CancellationToken.None);
    }

    /// <summary>Each way to write a row, by its name. The last one bypasses Tidemark.</summary>
    public static TheoryData<string> Writers =>
        ["in a session", "in a session, its connection still open", "outside any session", "outside any session, asynchronous commit",
        "by Npgsql alone",
        "ignored by its session after another write", "after the end of its session, which wrote before",
            "by Npgsql alone in a session that rolled back", "marked in a session that wrote before"];

    [Theory]
    [MemberData(nameof(Writers))]
    public async Task A_data_source_that_shares_the_table_reads_a_noted_write_with_replay_paused(string writer)
    {
        var table = await MakeTableAsync();
        await using var writing = await ConnectAsync(table);
        await using var reading = await ConnectAsync(table);
        foreach (var paused in (string[][])[["pg-2"], ["pg-2", "pg-3"]])
        {
            var name = $"{writer}, {paused.Length} paused";
            foreach (var node in paused) await shared.Cluster[node].PauseReplayAsync(Stop);
            await WriteAndNoteAsync(writing, writer, name);
            for (var i = 0; i < 5; i++)
            {
                using var session = reading.BeginSession();
                await reading.RequireAsync(name, Stop);
                (await CountAsync(reading, name)).ShouldBe(1, name);

                // Another key requires nothing.
                session.HasMoved.ShouldBeFalse();
            }
        }

        // Proves that the pause is in effect.
        using (reading.BeginSession())
        {
            await reading.RequireAsync("another key", Stop);
            (await CountAsync(reading, $"{writer}, 2 paused")).ShouldBe(0);
        }
    }

    [Fact]
    public async Task In_memory_other_sessions_read_a_noted_write_at_each_level_with_a_position()
    {
        await using var source = await shared.ConnectAsync();
        foreach (var node in shared.Cluster.Replicas) await node.PauseReplayAsync(Stop);
        await WriteAndNoteAsync(source, "in a session", "in memory");
        foreach (var level in (Consistency[])[Consistency.Session, Consistency.ReadYourWrites, Consistency.MonotonicReads])
        {
            using var session = source.BeginSession();
            await source.RequireAsync("in memory", Stop);
            (await CountAsync(source, "in memory", level)).ShouldBe(1, level.ToString());
        }
    }

    [Fact]
    public async Task A_replica_that_has_a_noted_write_serves_its_readers()
    {
        await using var source = await ConnectAsync(await MakeTableAsync());
        await WriteAndNoteAsync(source, "in a session", "served");
        await shared.Cluster.WaitForReplayAsync(Stop);
        await StoreCluster.UntilAsync(source, nodes => nodes["pg-2"].Lsn >= nodes["pg-1"].Lsn);
        using var session = source.BeginSession();
        await source.RequireAsync("served", Stop);

        // The stored position may be in WAL that the primary flushes only a moment later.
        await source.UntilReadOnReplicaAsync(shared.Cluster);
    }

    [Fact]
    public async Task A_key_in_a_table_never_goes_back_when_many_advance_it_at_once()
    {
        var table = await MakeTableAsync();
        await using var source = await ConnectAsync(table, out var store);
        await using var other = await ConnectAsync(table, out var otherStore);
        var cluster = source.Cluster.Monitor.Snapshot.SystemIdentifier;
        await Parallel.ForAsync(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Stop }, async (worker, stop) =>
        {
            var random = new Random(worker);
            var mine = worker % 2 == 0 ? store : otherStore;
            var last = default(WalPosition);
            for (var i = 0; i < 150; i++)
            {
                var noted = new WalPosition((uint)random.Next(1, 3), new NpgsqlLogSequenceNumber((ulong)random.NextInt64(1, 1L << 40)));
                await mine.AdvanceAsync("hot", Token(cluster, noted), stop);
                var found = (await mine.FindAsync("hot", stop))!.Written!.Value;
                WalPosition.Later(found, noted).ShouldBe(found);
                WalPosition.Later(found, last).ShouldBe(found);
                last = found;
            }
        });
    }

    [Fact]
    public async Task A_table_returns_a_noted_position_exactly()
    {
        await using var source = await ConnectAsync(await MakeTableAsync(), out var store);
        var chain = TimelineChain.Empty.With([new Fork(6, 7, new NpgsqlLogSequenceNumber(0xABCUL), new NpgsqlLogSequenceNumber(0xABCUL))]);
        var token = new CausalToken(
            0xFEDCBA9876543210, new WalPosition(7, new NpgsqlLogSequenceNumber(0x1234_89ABCDEFUL)), null, unknown: null,
                DateTimeOffset.MaxValue, chain, key: null);
        await store.AdvanceAsync("'; --\u00e9\ud83d\ude00", token, Stop);

        (await store.FindAsync("'; --\u00e9\ud83d\ude00", Stop)).ShouldBe(token);
        (await store.FindAsync("another", Stop)).ShouldBeNull();
    }

    [Fact]
    public async Task A_table_from_a_dump_of_another_cluster_means_unknown_and_is_overwritten()
    {
        var table = await MakeTableAsync();
        await using var source = await ConnectAsync(table, out var store);
        await shared.Cluster.Primary.RunAsync(
            $"INSERT INTO {table} (key, cluster, timeline, began, position) VALUES ('k', 1, 9, 0, {1L << 50})");
        using (var session = source.BeginSession())
        {
            await source.RequireAsync("k", Stop);
            session.IsUnknown.ShouldBeTrue();
            (await CountAsync(source, "nothing")).ShouldBe(0);
            session.IsUnknown.ShouldBeFalse();
        }

        await source.NoteWriteAsync("k", Stop);
        (await store.FindAsync("k", Stop))!.Written!.Value.Timeline.ShouldBe(1u);
    }

    [Fact]
    public async Task Noting_and_requiring_a_key_is_outside_the_session_and_its_transaction()
    {
        await using var source = await ConnectAsync(await MakeTableAsync(), out var store);
        using var session = source.BeginSession();
        await source.NoteWriteAsync("k", Stop);
        (session.HasMoved, session.Written, session.IsUnknown, session.Observed).ShouldBe((false, null, false, null));

        using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            (await Should.ThrowAsync<InvalidOperationException>(async () => await source.NoteWriteAsync("k", Stop)))
                .Message.ShouldContain("not committed yet");
            await store.AdvanceAsync("scoped", (await store.FindAsync("k", Stop))!, Stop);
        }

        (await store.FindAsync("scoped", Stop)).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_store_without_its_table_names_the_remedy_and_several_may_create_it()
    {
        var table = $"fresh_{Interlocked.Increment(ref _tables)}";
        await using var source = await ConnectAsync(table, out var store);
        (await Should.ThrowAsync<InvalidOperationException>(async () => await source.NoteWriteAsync("k", Stop)))
            .Message.ShouldContain(store.Ddl);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => store.CreateTableAsync(Stop)));
        await source.NoteWriteAsync("k", Stop);

        // A store belongs to one data source.
        Should.Throw<InvalidOperationException>(() =>
            new TidemarkDataSourceBuilder { FreshnessStore = store }.AddNode("pg-1", shared.Cluster.Primary.ConnectionString).Build());
        await Should.ThrowAsync<InvalidOperationException>(() => new TableFreshnessStore().CreateTableAsync(Stop));
    }

    [Fact]
    public async Task Requiring_a_key_outside_any_session_is_refused() =>
        await Should.ThrowAsync<InvalidOperationException>(async () => await shared.Source.RequireAsync("k", Stop));

    private async Task WriteAndNoteAsync(TidemarkDataSource source, string writer, string name)
    {
        const string Sql = "INSERT INTO items (name) VALUES (@name)";
        switch (writer)
        {
            case "in a session":
                using (source.BeginSession())
                {
                    await using var context = shared.CreateContext(source);
                    context.Add(new Item { Name = name });
                    await context.SaveChangesAsync(Stop);
                    await source.NoteWriteAsync(name, Stop);
                }

                break;
            case "in a session, its connection still open":
                using (source.BeginSession())
                {
                    await using var connection = await source.OpenWriteConnectionAsync(Stop);
                    await connection.ExecuteAsync(Sql, new { name });
                    await source.NoteWriteAsync(name, Stop);
                }

                break;
            case "ignored by its session after another write":
                using (var session = source.BeginSession())
                {
                    await WriteReplayedAsync(source);
                    using (session.IgnoreWrites()) await WriteAsync(source, name);
                    session.Written.ShouldNotBeNull();
                    await source.NoteWriteAsync(name, Stop);
                }

                break;
            case "after the end of its session, which wrote before":
                var over = source.BeginSession();
                await WriteReplayedAsync(source);
                var ended = new TaskCompletionSource();
                var later = Task.Run(
                    async () =>
                    {
                        await ended.Task;
                        await WriteAsync(source, name);
                        await source.NoteWriteAsync(name, Stop);
                    },
                    Stop);
                over.Dispose();
                ended.SetResult();
                await later;
                break;
            case "by Npgsql alone in a session that rolled back":
                CausalToken token;
                using (source.BeginSession())
                {
                    await WriteReplayedAsync(source);
                    token = await source.CaptureTokenAsync(Stop);
                }

                using (source.BeginSession(token))
                {
                    await using (var connection = await source.OpenWriteConnectionAsync(Stop))
                    await using (var transaction = await connection.BeginTransactionAsync(Stop))
                        await transaction.RollbackAsync(Stop);
                    await using (var connection =
                        new NpgsqlConnection(shared.Cluster.Primary.ConnectionString)) await connection.ExecuteAsync(Sql, new { name });
                    await source.NoteWriteAsync(name, Stop);
                }

                break;
            case "marked in a session that wrote before":
                using (var session = source.BeginSession())
                {
                    await WriteReplayedAsync(source);
                    await using (var connection =
                        new NpgsqlConnection(shared.Cluster.Primary.ConnectionString)) await connection.ExecuteAsync(Sql, new { name });
                    session.MarkWritten();
                    await source.NoteWriteAsync(name, Stop);
                }

                break;
            case "by Npgsql alone":
                await using (var connection =
                    new NpgsqlConnection(shared.Cluster.Primary.ConnectionString)) await connection.ExecuteAsync(Sql, new { name });
                await source.NoteWriteAsync(name, Stop);
                break;
            default:
                await using (var connection = await source.OpenWriteConnectionAsync(Stop))
                {
                    if (writer.EndsWith("asynchronous commit", StringComparison.Ordinal))
                        await connection.ExecuteAsync("SET synchronous_commit = off");
                    await connection.ExecuteAsync(Sql, new { name });
                }

                await source.NoteWriteAsync(name, Stop);
                break;
        }
    }

    /// <summary>
    /// Writes another row, and pauses replicas that have it. A replica that has exactly that row is stale for the test's row.
    /// </summary>
    private async Task WriteReplayedAsync(TidemarkDataSource source)
    {
        foreach (var node in shared.Cluster.Replicas) await node.ResumeReplayAsync(Stop);
        await WriteAsync(source, "another");
        await shared.Cluster.WaitForReplayAsync(Stop);
        foreach (var node in shared.Cluster.Replicas) await node.PauseReplayAsync(Stop);
    }

    private static async Task WriteAsync(TidemarkDataSource source, string name)
    {
        await using var command = source.CreateCommand($"INSERT INTO items (name) VALUES ('{name}')");
        await command.ExecuteNonQueryAsync(Stop);
    }

    private static async Task<long> CountAsync(TidemarkDataSource source, string name, Consistency? level = null)
    {
        await using var command = source.CreateReadCommand($"SELECT count(*) FROM items WHERE name = '{name}'", level);
        return (long)(await command.ExecuteScalarAsync(Stop))!;
    }

    private async Task<string> MakeTableAsync()
    {
        var table = $"fresh_{Interlocked.Increment(ref _tables)}";
        await shared.Cluster.Primary.RunAsync(new TableFreshnessStore(table).Ddl);
        await shared.Cluster.WaitForReplayAsync(Stop);
        return table;
    }

    private Task<TidemarkDataSource> ConnectAsync(string table) => ConnectAsync(table, out _);

    private Task<TidemarkDataSource> ConnectAsync(string table, out TableFreshnessStore store)
    {
        var made = store = new TableFreshnessStore(table);
        return shared.ConnectAsync(b => b.FreshnessStore = made);
    }

    private static CausalToken Token(ulong cluster, WalPosition position) =>
        new(cluster, position, null, unknown: null, DateTimeOffset.MaxValue, TimelineChain.Empty, key: null);
}
